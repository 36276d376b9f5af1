/**
 * Every text a person sees, in English; the other languages have the type of this one, so that a
 * text they lack does not compile. Functions are for texts with values in them.
 */

import type { Backend, ErrorCode, ErrorValues } from "../../engine/api";
import type { Problem } from "../../sw/protocol";
import { figures } from "./figures";

const { number, counted, bytes, bytesPerSecond, duration, seconds } = figures("en");

export const tokens = (count: number) => counted(count, { one: "token", other: "tokens" });
export const speed = (rate: number) => `${number(rate, rate < 10 ? 1 : 0)} tok/s`;

const FEATURES: Record<string, string> = {
  "shader-f16": "numbers of half precision",
  subgroups: "exchange between its cores",
  simd128: "vectors (simd128)",
  "relaxed-simd": "relaxed vectors",
};

/** What is said of an error; `values` are as far as the engine knows them. */
export interface Fault {
  title: string;
  text: (values: ErrorValues) => string;
  hint: string;
}

/** What went wrong, by the engine's code, and what can be done about it. */
const faults: Record<ErrorCode, Fault> = {
  "insecure-context": {
    title: "This page needs a secure address",
    text: () => "Browsers offer what the model needs to secure pages only.",
    hint: "Open it over https, or as localhost on the machine that serves it.",
  },
  "webgpu-unavailable": {
    title: "This browser does not offer WebGPU",
    text: () => "The model cannot run here in the way that was asked for.",
    hint: "Use a recent Chrome, Edge, Firefox or Safari, and switch WebGPU on in its settings.",
  },
  "no-adapter": {
    title: "No graphics adapter was found",
    text: () => "There is none, or the browser blocks it.",
    hint: "Switch on hardware acceleration in the browser's settings, update the graphics driver, and restart the browser.",
  },
  "device-too-small": {
    title: "This device cannot run the model",
    text: ({ bytes: needed, allowed }) =>
      needed && allowed
        ? `It needs ${bytes(needed)} at once; this device allows ${bytes(allowed)}.`
        : "It asks for more than this device has.",
    hint: "Choose a smaller model or context, or open the page on another device.",
  },
  "unsupported-format": {
    title: "The model was made for another version",
    text: () => "This page cannot read its files.",
    hint: "Update this page where it offers that, or else reload it. If it stays so, the site's owner has to compile the model again or update the site.",
  },
  "bad-bundle": {
    title: "The model's files are damaged",
    text: () => "What they say does not fit together.",
    hint: "The site's owner has to compile the model again.",
  },
  network: {
    title: "A download failed",
    text: ({ file, status, origin }) => {
      const name = file ?? "a file";
      if (status) return `The server answered ${status} when asked for ${name}.`;
      if (origin)
        return `${name} did not come: ${origin} cannot be reached, or does not let this site read its files (Access-Control-Allow-Origin).`;
      return `The connection broke off at ${name}.`;
    },
    hint: "Check the connection and try again; what has arrived is kept.",
  },
  integrity: {
    title: "A file is not what it should be",
    text: ({ file }) =>
      `${file ?? "A file"} has other content than this page expects; it was not used.`,
    hint: "Update this page where it offers that, or else reload it. If it stays so, the copy on the server is damaged or out of date.",
  },
  storage: {
    title: "The browser's storage refused a file",
    text: () => "There may be no room left on this device.",
    hint: "Free some space and try again.",
  },
  "out-of-memory": {
    title: "The device ran out of memory",
    text: () => "The model did not find the room it needs.",
    hint: "Close other tabs, or choose a smaller model or context.",
  },
  "device-lost": {
    title: "The graphics device was lost",
    text: () => "The browser took the graphics card away in the middle of its work.",
    hint: "Load the model again; if it happens repeatedly, choose a smaller model or context.",
  },
  "worker-lost": {
    title: "The model's worker stopped",
    text: () => "The part of the page that the model runs in came to an end.",
    hint: "Load the model again; if memory was short, choose a smaller model or context.",
  },
  "gpu-validation": {
    title: "The graphics driver refused a command",
    text: () => "This is a fault of the model's kernels or of the browser.",
    hint: "Load the model again; if it stays so, please report it with the details.",
  },
  "kernel-fault": {
    title: "The model stopped in the middle of its work",
    text: () => "This is a fault of the model's kernels or of the browser.",
    hint: "Load the model again; if it stays so, please report it with the details.",
  },
  "wrong-answer": {
    title: "This device calculates wrongly",
    text: () => "It gave wrong answers in a test with known results.",
    hint: "Update the browser and the graphics driver, or let the model run in another way.",
  },
  "context-overflow": {
    title: "The conversation is too long",
    text: ({ tokens: taken, context }) =>
      taken && context
        ? `It takes ${tokens(taken)}; the model's context holds ${number(context)}.`
        : "It takes more than the model's context holds.",
    hint: "Drop the oldest turns, or start a new chat.",
  },
  "bad-request": {
    title: "The model cannot take this request",
    text: ({ context, fits }) =>
      context && fits
        ? `A context of ${tokens(context)} was asked for; this model takes at most ${number(fits)}.`
        : "Something that was asked for is not possible with this model.",
    hint: "The details say what; change it and ask again.",
  },
  aborted: {
    title: "Stopped",
    text: () => "It was stopped before its end.",
    hint: "Start it again.",
  },
  internal: {
    title: "Something went wrong",
    text: () => "The page met a fault that it does not know.",
    hint: "Reload the page and try again; if it happens again, please report it with the details.",
  },
};

/** Why the page cannot be kept; the ends of sentences. */
const problems: Record<Problem["cause"], (file: string) => string> = {
  unsupported: () => "this browser does not offer it here, as in private windows.",
  off: () => "this site has switched it off.",
  storage: () => "the browser has no room for it, or keeps its storage shut.",
  network: (file) => `${file} could not be fetched.`,
  integrity: (file) => `${file} has other content than the site's list of files says.`,
  internal: () => "the page met a fault that it does not know.",
};

export const en = {
  figures: figures("en"),

  site: {
    description: "A language model that runs in this browser tab.",
    skip: "Skip to the message box",
    model: "Model",
    newChat: "New chat",
    settings: "Settings",
    close: "Close",
    details: "Details",
  },

  start: {
    title: "A language model, in this tab",
    lead: "It runs on your own device. Nothing you type leaves this tab.",
    looking: "Looking for models…",
    size: (size: number) => `${bytes(size)}, downloaded once`,
    sizeKept: (size: number) => `${bytes(size)}, kept in this browser`,
    load: "Load model",
    start: "Start",
    checking: "Checking this device…",
    noModel: "No model",
    noModelTitle: "No such model",
    noBundle: "The site serves no bundle that this version can read.",
    notHere: (wanted: string) => `There is no ${wanted} here.`,
    siteHas: (names: string[]) => `This site has: ${names.join(", ")}.`,
    embedderTitle: "This model does not chat",
    embedder: "It turns texts into vectors, for search and for comparing what texts mean.",
    embedderUse: "Use it from a page of your own: engine.embed(texts).",
  },

  library: {
    title: "Models",
    about: "About this model",
    compare: "Compare the models",
  },

  progress: {
    label: "Loading the model",
    starting: "Starting…",
    reading: "Reading what the model is made of…",
    ready: "Ready.",
    cancel: "Cancel",
    pause: "Pause",
    resume: "Resume",
    waiting: {
      paused: "paused",
      offline: "no network; it goes on as soon as there is one",
      retry: "the server does not answer; trying again",
      tab: "another tab is downloading it",
    },
    loaded: (some: number, all: number) => `${bytes(some)} of ${bytes(all)}`,
    cached: (size: number) => `${bytes(size)} from this browser`,
    rate: (perSecond: number) => bytesPerSecond(perSecond),
    left: (time: number) => `${duration(time)} left`,
    kernels: (done: number, all: number) => `kernels ${number(done)} of ${number(all)}`,
    compiling: "making it ready",
  },

  chat: {
    label: "Conversation",
    welcome: "What shall we talk about?",
    suggestion1: "Why is the sky blue?",
    suggestion2: "Write a short poem about rain on a tin roof.",
    suggestion3: "Explain how a kiln works to a ten-year-old.",
    you: "You",
    answer: "Answer",
    copyAnswer: "Copy answer",
    regenerate: "Regenerate",
    continue: "Continue",
    copyCode: "Copy code",
    table: "Table",
    /** Said in place of a block of code. */
    code: (lines: number) => `Code, ${counted(lines, { one: "line", other: "lines" })}.`,
    noClipboard: "The browser refused access to the clipboard",
    dropped: "No longer seen by the model",
    stopped: "You stopped this answer.",
    cutOff: "Cut off: the limit of tokens was reached.",
    interrupted: "This answer was interrupted.",
    noAnswer: "There is no answer yet.",
    complete: "The answer is complete.",
    speed,
    stats: (all: {
      completion: number;
      rate: number | null;
      prompt: number;
      reused: number;
      prefill: number;
    }) => {
      const reused = all.reused > 0 ? ` (${number(all.reused)} reused)` : "";
      const prompt = `prompt ${number(all.prompt)}${reused} in ${seconds(all.prefill)}`;
      const rate = all.rate === null ? [] : [speed(all.rate)];
      return [tokens(all.completion), ...rate, prompt].join(" · ");
    },
  },

  composer: {
    message: "Message",
    placeholder: "Write a message",
    send: "Send",
    stop: "Stop",
    stopKey: "Stop (Esc)",
    newest: "Go to the newest message",
    closeMessage: "Close this message",
    promise: "Nothing you type leaves this tab.",
    mistakes: "Small models make mistakes.",
    contextLabel: "Context in use",
    context: (used: number, size: number) => `${number(used)} of ${tokens(size)}`,
  },

  settings: {
    kept: "They stay in this browser.",
    language: "Language",
    languageAuto: "As in the browser",
    languageHelp: "The page opens anew in the language chosen; the conversation stays.",
    runOn: "Run on",
    runOnAuto: "Automatic",
    runOnCard: "Graphics card (WebGPU)",
    runOnProcessor: "Processor (WebAssembly)",
    reload: "Reload the model",
    next: "What follows holds from the next answer on.",
    system: "System prompt",
    systemPlaceholder: "What the model is told before the conversation",
    reset: "Reset to defaults",
    none: "none",
    slider: (label: string) => `${label}, slider`,
    needsNumber: (label: string) => `${label} needs a number.`,
    outOfRange: (label: string, whole: boolean, min: number, max: number) =>
      `${label} must be ${whole ? "a whole number" : "a number"} from ${min} to ${max}.`,
    addressAsks: (what: string) =>
      `This page's address asks for ${what}, which goes before this setting.`,
    automatic: "Automatic takes the fastest way that works on this device.",
    stillRuns: (place: string) =>
      `The model still runs ${place}. Reloading it keeps the conversation.`,
    runs: (place: string) => `The model runs ${place}.`,
  },

  offline: {
    title: "Without a network",
    preparing: "Kept for use without a network as soon as a model is ready.",
    kept: "This page works without a network, and so do models that were loaded here before.",
    impossible: (why: string) => `Use without a network is not possible: ${why}`,
    problems,
    newVersion: "A new version of this page is ready. Tabs that are open keep theirs until closed.",
    newerModel:
      "A new version of this page is ready, which knows the models that are on the site now.",
    update: "Update now",
    install: "Install as an app",
  },

  /** Name and explanation of each number that can be set. */
  numbers: {
    temperature: {
      label: "Temperature",
      help: "0 always takes the likeliest word; higher is freer.",
    },
    top_p: {
      label: "Top p",
      help: "Keeps the likeliest words that together reach this share. 1 is off.",
    },
    min_p: {
      label: "Min p",
      help: "Drops words far less likely than the likeliest. 0 is off.",
    },
    repetition_penalty: {
      label: "Repetition penalty",
      help: "Above 1 discourages words seen before. 1 is off.",
    },
    presence_penalty: {
      label: "Presence penalty",
      help: "Above 0 steers towards new subjects.",
    },
    frequency_penalty: {
      label: "Frequency penalty",
      help: "Above 0 discourages words the more they were used.",
    },
    top_k: { label: "Top k", help: "Keeps this many of the likeliest words. 0 is off." },
    max_tokens: {
      label: "Longest answer, in tokens",
      help: "Empty: as long as the context has room.",
    },
    seed: {
      label: "Seed",
      help: "The same seed gives the same answer. Empty: a new one each time.",
    },
  },

  address: {
    title: "Part of the address was not understood",
    leftOut: (name: string, value: string, allowed: string) =>
      `${name}=${value} is not ${allowed}; it is left out.`,
    backends: "webgpu or wasm",
    threads: "a whole number of threads",
    context: "a whole number of tokens",
  },

  overflow: {
    title: "The conversation fills the model's context",
    alone: "The last message alone takes up the model's whole context. Shorten it, or start anew.",
    older:
      "The model can only look back so far. Older turns can be left out, or you can start anew.",
    drop: "Drop the oldest turns",
    anew: "Start a new chat",
  },

  conversation: {
    notKept: "Nothing is kept here: conversations end with this tab.",
    silent: "the browser's database does not answer",
    silentHint: "Close this site's other tabs and reload the page.",
    newer: "the conversations in this browser were kept by a newer version of this page",
    newerHint: "Reload the page to get that version.",
    shut: (reason: string) => `this browser keeps no data for this page (${reason})`,
    shutHint:
      "Private windows and blocked site data do that; allow site data to keep conversations.",
    notSaved: "The last words could not be kept.",
    noRoom:
      "There is no room left on this device: delete conversations or models, or export what you want to keep.",
    refused: (reason: string) => `The browser's database reports: ${reason}.`,
    unread: "The conversation cannot be shown",
    missing: "The conversation that the address names is not in this browser.",
    elsewhere: "This conversation is open in another tab, which goes on with it.",
    takeOver: "Continue here",
    otherModel: (model: string) => `This conversation was held with ${model}.`,
    useModel: (model: string) => `Continue with ${model}`,
  },

  history: {
    title: "Conversations",
  },

  device: {
    title: "How it runs here",
    chip: "How the model runs here",
    chipRung: (rung: string) => `How the model runs here: ${rung}`,
    checked: "What was checked",
    rungs: "Ways of running it, best first",
    inUse: "in use",
    chosen: "chosen",
    possible: "possible",
    notHere: "not here",
    adapter: "Graphics adapter",
    halfPrecision: "Its half precision",
    subgroups: "Its subgroups",
    extensions: "WebAssembly",
    noExtensions: "without extensions",
    cores: "Processor cores",
    secure: "Secure context",
    isolated: "Cross-origin isolated",
    yes: "yes",
    no: "no",
    noAdapter: "none",
    noName: "not named",
    emulated: (name: string) => `${name} (emulated in software)`,
    model: "Model",
    runsAs: "Runs as",
    context: "Context",
    vocabulary: "Vocabulary",
    tokens,
    notes: "Good to know",
    copy: "Copy as JSON",
    notSent: "Nothing of it is sent anywhere.",
    copied: "Copied to your clipboard; nothing was sent anywhere.",
    reportTitle: "What was checked, as JSON",
    refused:
      "The browser refused its clipboard. The text is selected: copy it with Ctrl+C or ⌘C. " +
      "Nothing of it is sent anywhere.",
  },

  ladder: {
    /** A place in a sentence: "runs on the processor (WebAssembly, 2 threads)". */
    place: (backend: Backend, threads?: number) => {
      if (backend === "webgpu") return "on the graphics card (WebGPU)";
      const known =
        threads === undefined ? "" : `, ${counted(threads, { one: "thread", other: "threads" })}`;
      return `on the processor (WebAssembly${known})`;
    },
    card: "Graphics card",
    processor: "Processor",
    runs: (place: string) => `Runs ${place}`,
    addressAsks: (what: string) => `This page's address asks for it (${what}).`,
    addressOverrules: (what: string) =>
      `This page's address asks for it (${what}), which goes before your setting “Run on”.`,
    settingAsks: "Your setting “Run on” asks for it.",
    /** Several reasons in one sentence. */
    together: (reasons: string[]) => reasons.join("; "),
    youAsked: "You asked for it here.",
    startedAgain: (place: string) => `The model was started again ${place}`,
    nowRuns: (place: string) => `The model now runs ${place}`,
    modelRuns: (place: string) => `The model runs ${place}`,
    allHere: "The conversation is all here.",
    fasterLeftOut: (variants: string[]) => `A faster way (${variants.join(", ")}) is left out.`,
    cardNotUsed: "The graphics card is not used.",
    processorNotUsed: "The processor is not used.",
    tryAgain: "Try it again",
    useAnyway: "Use it all the same",
    oneThread:
      "It has one thread only, because this site does not isolate its pages. The site's owner " +
      "could make it faster by sending the headers Cross-Origin-Opener-Policy: same-origin and " +
      "Cross-Origin-Embedder-Policy: require-corp.",
  },

  verdict: {
    noVariant: (variant: string) => `This model has no variant ${variant}`,
    notAs: (variant: string) => `It cannot run as ${variant} here`,
    notThere: (place: string) => `It cannot run ${place} here`,
    otherwise: "It can run here in another way.",
    choose: "Choose automatically",
    insecure: "This page needs a secure address",
    insecureHint: "Open it over https, or as localhost on the machine that serves it.",
    noWebGpu: "WebGPU is not available here",
    noWebGpuHint:
      "Use a recent Chrome, Edge, Firefox or Safari, switch on hardware acceleration in its " +
      "settings, and update the graphics driver.",
    unable: "This device cannot run the model",
    unableHint:
      "Choose a smaller model, or open this page on another device or in another browser.",
  },

  /** Notes that the engine adds to what is good to know. */
  metered: {
    title: "This connection may cost you",
    line: (size: number) =>
      `Your browser says that data is to be saved, or that the network is a mobile one. The model needs ${bytes(size)} more.`,
    download: "Download",
    later: "Not now",
  },

  remarks: {
    notKept: (needed: number, free: number | null) =>
      `There is no room to keep this model: it needs ${bytes(needed)} more${free === null ? "" : `, and ${bytes(free)} are free for this site`}. It runs all the same, but the next visit will download the rest again. Free some space, or delete a model.`,
    notStored:
      "The browser did not keep the model's files; the next visit will download them again.",
    damaged:
      "Some of what this browser had kept of the model was damaged; it was downloaded again.",
    evicted: (lost: number) =>
      `${bytes(lost)} of this model that the browser had kept were gone, and were downloaded again. Browsers clear what they keep when the disk runs full, unless they promised not to.`,
    mirror: (served: number, total: number, mirror: string) =>
      `${number(served)} of ${number(total)} files came from the mirror ${mirror}.`,
    tunedRefused: (vendor: string) =>
      `Kernels tuned for ${vendor} do not hold here; the general ones run instead.`,
    recovered: (cause: string, moved: boolean, rung: string) =>
      `${cause}; ${moved ? `the answer went on as ${rung}` : "the answer went on after reloading"}.`,
  },

  trouble: {
    retry: "Try again",
    reload: "Reload the model",
    close: "Close",
    onProcessor: "Load on the processor",
  },

  server: {
    offer: "Let a server answer",
    host: (host: string) => `Server: ${host}`,
    sign: (origin: string) => `What you send goes to ${origin}.`,
    change: "Address and token",
    leave: "Stop sending",
    since: (origin: string, model: string) =>
      `This conversation is answered by ${model} at ${origin}.`,
    /** A model that answered there, among the site's own. */
    named: (model: string) => `${model} on a server`,
  },

  privacy: {
    open: "What this page has requested",
  },

  faults,

  /** Why a way of running is not used, or is no good one: parts of a sentence. */
  reasons: {
    insecure:
      "the page was opened over plain http, where browsers offer neither WebGPU nor storage",
    "no-webgpu": "this browser does not offer WebGPU, or it is switched off",
    "no-adapter":
      "WebGPU found no usable graphics adapter: there is none, or it is blocked or switched off",
    "card-lacks": (feature: string) => `the graphics card lacks ${FEATURES[feature] ?? feature}`,
    "card-too-small": "the graphics card is too small for this model",
    "not-isolated": "the page is not cross-origin isolated, so WebAssembly gets one thread here",
    "wasm-lacks": (feature: string) =>
      `this browser's WebAssembly lacks ${FEATURES[feature] ?? feature}`,
    "wasm-memory": (needed: number, available: number, fits: number) =>
      `the model takes ${bytes(needed)} and WebAssembly has ${bytes(available)}: ` +
      (fits > 0 ? `a context of at most ${tokens(fits)} fits` : "no context fits"),
    "scarce-memory": (needed: number) =>
      `it takes about ${bytes(needed)}, much of what this device is known to have: it may run out of memory`,
    crashed: "the last attempt to load on it ended in a crash",
    emulated: "the graphics adapter is emulated in software: it works, but slowly",
    "emulated-passed-over":
      "the graphics adapter is emulated in software: it is passed over, because WebAssembly is faster",
    /** It was tried, and this went wrong. */
    fault: {
      "wrong-answer": "it gave wrong answers in a test with known results",
      "device-lost": "the graphics card stopped in the middle of its work",
      "out-of-memory": "the device ran out of memory",
      "device-too-small": "it needs more than this device allows at once",
      "gpu-validation": "the graphics driver refused a command",
      "kernel-fault": "its program stopped with a fault",
    } as Partial<Record<ErrorCode, string>>,
    failed: "it failed when it was tried",
  },
};

export type Words = typeof en;
