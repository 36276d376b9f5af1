/**
 * Texts of panels that arrive when they are asked for, in English. The other languages have theirs
 * in their own file, which is fetched as a whole.
 */

import type { Requester } from "../../engine/traffic";
import type { ServerErrorCode, ServerValues } from "../../server/errors";
import { speed, tokens } from "./en";
import { figures } from "./figures";

const { bytes, counted, list, number } = figures("en");

const conversations = (count: number) =>
  counted(count, { one: "conversation", other: "conversations" });

/** What is said of an error of a server that a person named. */
interface ServerFault {
  title: string;
  text: (values: ServerValues) => string;
  hint: (values: ServerValues) => string;
}

export const panels = {
  server: {
    title: "Let a server answer this conversation",
    lead:
      "As a rule the model runs in this tab, and nothing you type leaves it. You can have a server " +
      "answer instead, for this conversation alone.",
    address: "Address of the server",
    allowed: (origins: string[]) => `This site may contact ${list(origins)}, and no other.`,
    token: "Access token",
    tokenHelp:
      "Empty where the server wants none. It is sent to this server only, and is part of no export.",
    keepToken: "Keep it in this tab when the page is reloaded",
    connect: "Show its models",
    connecting: "Asking the server…",
    model: "Model",
    sends: (origin: string) =>
      `From then on, whenever you send a message, this conversation as a whole goes to ${origin}: ` +
      "what you wrote before, the answers, and the system prompt. What becomes of it there is up " +
      "to whoever runs that server.",
    thisDevice: "By its address, that server runs on this device.",
    onlyHere: "New conversations are not sent there.",
    use: "Send this conversation there",
    faults: {
      "server-address": {
        title: "That is no address of a server",
        text: ({ address }) => `“${address}” cannot be asked.`,
        hint: () => "Write it like http://localhost:11434.",
      },
      "server-not-allowed": {
        title: "This site may not contact that server",
        text: ({ address, allowed }) => `${address} is not among ${list(allowed ?? [])}.`,
        hint: () => "The site's owner can allow it with --allow-server.",
      },
      "server-mixed": {
        title: "The browser forbids it",
        text: ({ address }) => `This page came by https; ${address} would be asked by plain http.`,
        hint: () => "Give the server https, or run it on this device and call it localhost.",
      },
      "server-unreachable": {
        title: "The server gave no answer this page may read",
        text: ({ address, permission }) =>
          permission === "denied"
            ? `The browser was told not to let this site reach servers on this device or in its network, such as ${address}.`
            : `Either nothing answers at ${address}, or it does not admit this site. Browsers do not tell which.`,
        hint: ({ permission }) =>
          permission === "denied"
            ? "Allow it in the browser's settings for this site, and try again."
            : `See that the server runs. Then have it admit this site (CORS): its origin is ${location.origin}.`,
      },
      "server-token": {
        title: "The server wants an access token",
        text: ({ address, said }) => `${address} refused the request${said ? `: ${said}` : ""}.`,
        hint: () => "Enter the token that the server was started with.",
      },
      "server-missing": {
        title: "The server does not know that",
        text: ({ address, said }) => `${address} is not there${said ? `: ${said}` : ""}.`,
        hint: () => "Check the address, and choose one of the server's models.",
      },
      "server-refused": {
        title: "The server reports an error",
        text: ({ address, status, said }) =>
          [address, status && String(status), said].filter(Boolean).join(": "),
        hint: () => "The server's own log may say more.",
      },
      "server-strange": {
        title: "The server's answer cannot be read",
        text: ({ address }) => `${address} answered with something else than was asked for.`,
        hint: () => "See that the address is that of an OpenAI-compatible server.",
      },
      "server-broke-off": {
        title: "The answer broke off",
        text: ({ address }) => `${address} ended it before it was whole.`,
        hint: () => "Ask again; the server's own log may say more.",
      },
    } as Record<ServerErrorCode, ServerFault>,
  },

  privacy: {
    title: "What this page has requested",
    requests: (count: number) => counted(count, { one: "request", other: "requests" }),
    allHere: (requests: string) => `${requests}, all to this site; nothing you typed was sent.`,
    listed: (requests: string, origins: string[]) =>
      `${requests}: to this site and to ${list(origins)}, where it keeps its models. Nothing you ` +
      "typed was sent.",
    toServer: (requests: string, origin: string) =>
      `${requests}. The conversations you had answered by ${origin} were sent there, and nowhere else.`,
    unlisted: (origins: string[]) =>
      `There were requests to ${list(origins)}, which this site does not list. Please tell its owner.`,
    since: "Since the page was loaded; it counts on while this panel is open.",
    network: (size: number) => `${bytes(size)} over the network`,
    kept: "from this browser",
    untold: "size not told",
    sent: (size: number) => `${bytes(size)} sent`,
    why: {
      page: "Page",
      engine: "Engine",
      model: "Model files",
      offline: "Service worker",
      server: "Server you chose",
    },
    by: {
      page: "the page",
      worker: "the model's worker",
      thread: "a thread",
      "service-worker": "the service worker",
    } as Record<Requester, string>,
    failed: "failed",
    byWorker: "answered by the service worker",
    origins: "What it may contact",
    thisSite: "this site",
    forModels: "models",
    forServer: "server, only if you choose it",
    policy: "The browser enforces this list, by the site's Content Security Policy.",
    refused: (addresses: string[]) => `It refused ${list(addresses)}.`,
    noWorker: "There is no service worker.",
    silentWorker: "The service worker did not answer.",
    blind: "What this list cannot see",
    blindItems: [
      "Requests the browser makes by itself: for the service worker's script, for filling in forms, for its own account.",
      "Requests of other tabs, and of extensions, which may see and send what you type.",
      "What was sent in a request: it knows addresses and sizes. Only the server you chose is ever sent what you type.",
      "Sizes at other origins that keep them to themselves, and what a part of the page requested in the moment it was ended.",
      "What the site's own server writes down: your address, and when you asked for which file.",
    ],
    check:
      "To check independently of this page, open the network view of your browser's developer tools and reload.",
    copy: "Copy the list",
    copied: "Copied to your clipboard; nothing was sent anywhere.",
    notCopied: "The browser refused its clipboard: select the list and copy it.",
  },

  /** The library: every model with its verdict for this device. */
  library: {
    looking: "Looking at this device…",
    measuring: "Measuring how fast this device is…",
    fit: {
      well: "Runs well here",
      tight: "May struggle here",
      unknown: "Cannot be told beforehand",
      no: "Does not run here",
    },
    suggested: {
      only: "Suggested: the only one that runs here",
      "best-fit": "Suggested: it suits this device best",
      largest: "Suggested: the largest of those that suit this device best",
    },
    because: {
      memoryUnknown: (needed: number) =>
        `it takes ${bytes(needed)} of memory, and browsers do not say whether this device has them to spare`,
      ranOut: "the last time it ran out of memory here",
      ranOutAt: (context: number) =>
        `the last time it ran out of memory here, at a context of ${tokens(context)}`,
      disk: (missing: number, free: number) =>
        `it cannot be kept: ${bytes(missing)} are missing and the browser has room for ${bytes(free)}; it would be downloaded again at every visit`,
      slow: "answers will come more slowly than people read",
      unread: (title: string) => `what it is made of could not be read (${title})`,
      limit: (name: string, needed: number, offered: number | undefined) =>
        offered === undefined
          ? `the browser does not know the limit ${name}`
          : `it needs ${name} of ${number(needed)}, and the graphics card offers ${number(offered)}`,
    },
    size: "Size",
    toFetch: (total: number, missing: number) => {
      if (missing === 0) return `${bytes(total)}, all of it in this browser`;
      const rest = missing < total ? `, ${bytes(missing)} still to download` : " to download once";
      return `${bytes(total)}${rest}`;
    },
    speed: "Speed",
    estimated: (rate: number) => `about ${speed(rate)}, estimated`,
    measured: (rate: number) => `${speed(rate)}, as measured here`,
    memory: "Memory",
    licence: "Licence",
    terms: "Terms",
    languages: "Languages",
    data: "Training data",
    base: "Made from",
    authors: "Authors",
    quantization: "Quantization",
    coded: (bits: number) => `${bits}-bit codes`,
    plain: (bits: number) => `${bits}-bit numbers`,
    share: (name: string, share: number) => `${name} (${number(share * 100)}%)`,
    original: (types: string[]) => `in the checkpoint ${types.join(", ")}`,
    parameters: "Parameters",
    count: (count: number) => number(count),
    context: "Context",
    tokens: (usual: number, most: number) => `${number(usual)} of at most ${tokens(most)}`,
    source: "Source",
    unknown: "not known",
    unstated: "not stated",
    wrong: "Its answers can be wrong. Check what matters.",
    embeds: "It turns texts into vectors and does not chat.",
    choose: "Chat with it",
    chosen: "Chosen",
    download: "Download and chat",
    of: (action: string, model: string) => `${action}: ${model}`,
    others: "Also kept in this browser",
    othersWhy:
      "This site does not offer them, or not any more: earlier versions of its models, and those of other sites at this address.",
    remove: "Delete",
    removeAsk: (model: string, kept: number) =>
      `Delete ${model} (${bytes(kept)}) from this browser? Your conversations stay.`,
    removeYes: "Delete it",
    removeNo: "Keep it",
    removed: (model: string, freed: number) =>
      `${model} is deleted: ${bytes(freed)} are free again.`,
    space: (used: number, free: number | null) =>
      free === null
        ? `Models take ${bytes(used)} in this browser.`
        : `Models take ${bytes(used)} in this browser; there is room for ${bytes(free)} more.`,
    persist: "Keep the models for good",
    persistWhy:
      "When space runs short, the browser may clear what this site keeps, and the models would be downloaded again. You can ask it not to.",
    persisted: "The browser keeps the models until you delete them.",
    persistRefused: "The browser did not agree. It may once you use this page more often.",
  },

  history: {
    anew: "New conversation",
    search: "Search titles and texts",
    none: "No conversations yet.",
    notKept: (why: string) => `There is no list: conversations end with their tab. ${why}`,
    untitled: "Untitled",
    more: (title: string) => `More for ${title}`,
    rename: "Rename",
    newTitle: "New title",
    exportOne: (title: string, form: string) => `${form}: export ${title}`,
    remove: "Delete",
    /** What a button does, and to what. */
    doTo: (action: string, title: string) => `${action}: ${title}`,
    removed: (title: string) => `Deleted: ${title}.`,
    undo: "Undo",
    putBack: (title: string) => `Put back: ${title}.`,
    tools: "Export, import, delete",
    exportAll: (form: string) => `Export all (${form})`,
    importFile: "Import…",
    removeAll: "Delete all…",
    confirm: (count: number) =>
      `Delete ${conversations(count)} from this browser? This cannot be undone.`,
    confirmRemove: "Delete all",
    keep: "Keep them",
    allRemoved: "All conversations were deleted.",
    searching: "Searching…",
    found: (count: number) => (count === 0 ? "Nothing found." : `${conversations(count)} found.`),
    imported: (count: number) =>
      count === 0 ? "Nothing was new." : `${conversations(count)} imported.`,
    known: (count: number) =>
      `${conversations(count)} ${count === 1 ? "was" : "were"} here already.`,
    today: "Today",
    yesterday: "Yesterday",
    longAgo: "Some time ago",
  },

  /** Why a file of conversations is refused: what was found, and where. */
  file: {
    notJson: "the file is not JSON",
    notExport: "the file is JSON, but no export of conversations",
    newer: (version: string) =>
      `the file has version ${version}, which is newer than this page knows`,
    wrong: (where: string, found: string, wanted: string) =>
      `${where} is ${found}; it must be ${wanted}`,
    missing: "missing",
    twice: (where: string, id: string) =>
      `${where} is ${id}, as another conversation's of this file`,
    tooLarge: (size: number) => `the file has ${bytes(size)}, more than the page can read`,
    unread: "the file cannot be read",
    hint: "Nothing was imported. Choose a file that this page exported, unchanged.",
    newerHint: "Nothing was imported. Reload the page to get its newest version, and try again.",
    object: "an object",
    list: "a list",
    string: "a text",
    boolean: "true or false",
    id: "1 to 64 letters, digits or hyphens",
    date: "a date like 2026-11-22T08:15:00.000Z",
    either: (...values: string[]) => `${values.slice(0, -1).join(", ")} or ${values.at(-1)}`,
    stats: "five numbers that are not negative",
  },
};

export type PanelWords = typeof panels;
