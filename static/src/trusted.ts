/**
 * Trusted Types: the site's policy lets only named policies make addresses of scripts, and each of
 * them knows but its own files. HTML is DOMPurify's, which has a policy of its own.
 */

interface Factory {
  createPolicy(
    name: string,
    rules: { createScriptURL(file: string): string },
  ): { createScriptURL(file: string): unknown };
}

/**
 * Addresses of scripts, made by `address` alone, as browsers with Trusted Types want them. The
 * policy is made when the first one is asked for, so that importing a module asks for nothing.
 */
export function trustedScripts<File extends string>(
  policy: string,
  address: (file: File) => string,
): (file: File) => string {
  const { trustedTypes } = globalThis as { trustedTypes?: Factory };
  if (trustedTypes === undefined) return address;
  let made: ReturnType<Factory["createPolicy"]> | undefined;
  return (file) => {
    made ??= trustedTypes.createPolicy(policy, {
      createScriptURL: (asked) => address(asked as File),
    });
    // A TrustedScriptURL, which is taken wherever an address is.
    return made.createScriptURL(file) as string;
  };
}
