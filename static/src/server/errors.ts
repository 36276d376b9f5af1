/** What can go wrong with a server that a person named. */

/** What the error is about, as far as it is known. */
export interface ServerValues {
  /** The address that was asked, or what was typed. */
  address: string;
  /** How it answered. */
  status?: number;
  /** What it said of the fault, in its own words. */
  said?: string;
  /** The browser's permission for servers on this device or in its network, where it has one. */
  permission?: PermissionState;
  /** The answer ended before anything of it came. */
  empty?: true;
  /** Origins the site allows. */
  allowed?: string[];
}

export type ServerErrorCode =
  /** What was typed is no http or https address. */
  | "server-address"
  /** This site may not contact that origin. */
  | "server-not-allowed"
  /** An https page may not ask an http server that is not on the same device. */
  | "server-mixed"
  /** No answer that the page may read: it does not run, or does not admit this site. */
  | "server-unreachable"
  /** It wants an access token, or another one. */
  | "server-token"
  /** It knows no such address or model. */
  | "server-missing"
  /** It answered with another error, its own words in `values.said`. */
  | "server-refused"
  /** It answered with something an OpenAI-compatible server does not say. */
  | "server-strange"
  /** The answer broke off. */
  | "server-broke-off";

/** `message` names the fault, `hint` the next step; a page has words of its own for both. */
export class ServerError extends Error {
  override readonly name = "ServerError";

  constructor(
    readonly code: ServerErrorCode,
    message: string,
    readonly hint: string,
    readonly values: ServerValues,
  ) {
    super(message);
  }
}
