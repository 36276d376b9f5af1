/** I testi in italiano. */

import type { ErrorCode } from "../../engine/api";
import type { Fault, Words } from "./en";
import type { PanelWords } from "./en-panels";
import { figures } from "./figures";

const { number, counted, bytes, bytesPerSecond, duration, seconds, list } = figures("it");

const tokens = (count: number) => counted(count, { one: "token", other: "token" });
const conversations = (count: number) =>
  counted(count, { one: "conversazione", other: "conversazioni" });
const speed = (rate: number) => `${number(rate, rate < 10 ? 1 : 0)} token/s`;

const FEATURES: Record<string, string> = {
  "shader-f16": "i numeri a mezza precisione",
  subgroups: "gli scambi diretti tra i suoi core",
  simd128: "i vettori (simd128)",
  "relaxed-simd": "i vettori rilassati (relaxed-simd)",
};

const faults: Record<ErrorCode, Fault> = {
  "insecure-context": {
    title: "Questa pagina richiede un indirizzo sicuro",
    text: () => "I browser offrono ciò che serve al modello solo alle pagine sicure.",
    hint: "Aprila tramite https, o come localhost sul computer che la ospita.",
  },
  "webgpu-unavailable": {
    title: "Questo browser non offre WebGPU",
    text: () => "Qui il modello non può funzionare nel modo richiesto.",
    hint: "Usa una versione recente di Chrome, Edge, Firefox o Safari e attiva WebGPU nelle sue impostazioni.",
  },
  "no-adapter": {
    title: "Nessuna scheda grafica trovata",
    text: () => "Non ce n’è una, oppure il browser la blocca.",
    hint: "Attiva l’accelerazione hardware nelle impostazioni del browser, aggiorna il driver grafico e riavvia il browser.",
  },
  "device-too-small": {
    title: "Questo dispositivo non può far funzionare il modello",
    text: ({ bytes: needed, allowed }) =>
      needed && allowed
        ? `Servono ${bytes(needed)} in un blocco solo; questo dispositivo ne consente ${bytes(allowed)}.`
        : "Richiede più di quanto questo dispositivo abbia.",
    hint: "Scegli un modello o un contesto più piccolo, oppure apri la pagina su un altro dispositivo.",
  },
  "unsupported-format": {
    title: "Il modello è stato preparato per un’altra versione",
    text: () => "Questa pagina non sa leggere i suoi file.",
    hint: "Aggiorna questa pagina se lo propone, altrimenti ricaricala. Se non cambia nulla, il proprietario del sito deve ricompilare il modello o aggiornare il sito.",
  },
  "bad-bundle": {
    title: "I file del modello sono danneggiati",
    text: () => "Il loro contenuto non è coerente.",
    hint: "Il proprietario del sito deve ricompilare il modello.",
  },
  network: {
    title: "Un download non è riuscito",
    text: ({ file, status, origin }) => {
      const name = file ?? "un file";
      if (status) return `Il server ha risposto ${status} alla richiesta di ${name}.`;
      if (origin)
        return `${name} non è arrivato: ${origin} non è raggiungibile, o non lascia leggere i suoi file a questo sito (Access-Control-Allow-Origin).`;
      return `La connessione si è interrotta durante il download di ${name}.`;
    },
    hint: "Controlla la connessione e riprova; ciò che è arrivato resta conservato.",
  },
  integrity: {
    title: "Un file non è quello atteso",
    text: ({ file }) =>
      `Il contenuto di ${file ?? "questo file"} non è quello che la pagina si aspetta; non è stato usato.`,
    hint: "Aggiorna questa pagina se lo propone, altrimenti ricaricala. Se non cambia nulla, la copia sul server è danneggiata o superata.",
  },
  storage: {
    title: "L’archivio del browser ha rifiutato un file",
    text: () => "Forse su questo dispositivo non c’è più posto.",
    hint: "Libera dello spazio e riprova.",
  },
  "out-of-memory": {
    title: "Il dispositivo ha esaurito la memoria",
    text: () => "Il modello non ha trovato lo spazio che gli serve.",
    hint: "Chiudi altre schede, oppure scegli un modello o un contesto più piccolo.",
  },
  "device-lost": {
    title: "La scheda grafica non è più disponibile",
    text: () => "Il browser ha tolto la scheda grafica a metà del lavoro.",
    hint: "Ricarica il modello; se succede di nuovo, scegli un modello o un contesto più piccolo.",
  },
  "worker-lost": {
    title: "Il processo del modello si è fermato",
    text: () => "La parte della pagina in cui funziona il modello è terminata.",
    hint: "Ricarica il modello; se mancava memoria, scegli un modello o un contesto più piccolo.",
  },
  "gpu-validation": {
    title: "Il driver grafico ha rifiutato un comando",
    text: () => "È un difetto dei programmi del modello o del browser.",
    hint: "Ricarica il modello; se non cambia nulla, segnalalo allegando i dettagli.",
  },
  "kernel-fault": {
    title: "Il modello si è fermato a metà del lavoro",
    text: () => "È un difetto dei programmi del modello o del browser.",
    hint: "Ricarica il modello; se non cambia nulla, segnalalo allegando i dettagli.",
  },
  "wrong-answer": {
    title: "Questo dispositivo sbaglia i calcoli",
    text: () => "Ha dato risposte sbagliate in una prova con risultati noti.",
    hint: "Aggiorna il browser e il driver grafico, oppure fai funzionare il modello in un altro modo.",
  },
  "context-overflow": {
    title: "La conversazione è troppo lunga",
    text: ({ tokens: taken, context }) =>
      taken && context
        ? `Occupa ${tokens(taken)}; il contesto del modello ne contiene ${number(context)}.`
        : "Occupa più di quanto il contesto del modello contenga.",
    hint: "Tralascia gli scambi più vecchi, o inizia una nuova conversazione.",
  },
  "bad-request": {
    title: "Il modello non può accogliere questa richiesta",
    text: ({ context, fits }) =>
      context && fits
        ? `È stato chiesto un contesto di ${tokens(context)}; questo modello ne accetta al massimo ${number(fits)}.`
        : "Qualcosa nella richiesta non è possibile con questo modello.",
    hint: "I dettagli dicono che cosa; modificalo e chiedi di nuovo.",
  },
  aborted: {
    title: "Fermato",
    text: () => "L’operazione è stata fermata prima della fine.",
    hint: "Avviala di nuovo.",
  },
  internal: {
    title: "Qualcosa è andato storto",
    text: () => "La pagina ha incontrato un errore che non conosce.",
    hint: "Ricarica la pagina e riprova; se succede di nuovo, segnalalo allegando i dettagli.",
  },
};

export const words: Words = {
  figures: figures("it"),

  site: {
    description: "Un modello linguistico che funziona in questa scheda del browser.",
    skip: "Vai al campo del messaggio",
    model: "Modello",
    newChat: "Nuova conversazione",
    settings: "Impostazioni",
    close: "Chiudi",
    details: "Dettagli",
  },

  start: {
    title: "Un modello linguistico, in questa scheda",
    lead: "Funziona sul tuo dispositivo. Nulla di ciò che scrivi lascia questa scheda.",
    looking: "Ricerca dei modelli…",
    size: (size) => `${bytes(size)}, da scaricare una sola volta`,
    sizeKept: (size) => `${bytes(size)}, conservati in questo browser`,
    load: "Carica il modello",
    start: "Avvia",
    checking: "Controllo del dispositivo…",
    noModel: "Nessun modello",
    noModelTitle: "Modello non trovato",
    noBundle: "Il sito non ha modelli che questa versione sappia leggere.",
    notHere: (wanted) => `Qui non c’è ${wanted}.`,
    siteHas: (names) => `Questo sito offre: ${names.join(", ")}.`,
    embedderTitle: "Questo modello non conversa",
    embedder: "Trasforma testi in vettori, per cercare e per confrontare il loro significato.",
    embedderUse: "Usalo da una pagina tua: engine.embed(texts).",
  },

  library: {
    title: "Modelli",
    about: "Informazioni su questo modello",
    compare: "Confronta i modelli",
  },

  progress: {
    label: "Caricamento del modello",
    starting: "Avvio…",
    reading: "Lettura della composizione del modello…",
    ready: "Pronto.",
    cancel: "Annulla",
    pause: "Sospendi",
    resume: "Riprendi",
    waiting: {
      paused: "sospeso",
      offline: "manca la rete; riprende appena torna",
      retry: "il server non risponde; si riprova",
      tab: "un’altra scheda lo sta scaricando",
    },
    loaded: (some, all) => `${bytes(some)} di ${bytes(all)}`,
    cached: (size) => `${bytes(size)} già in questo browser`,
    rate: (perSecond) => bytesPerSecond(perSecond),
    left: (time) => `ancora ${duration(time)}`,
    kernels: (done, all) => `kernel ${number(done)} di ${number(all)}`,
    compiling: "preparazione",
  },

  chat: {
    label: "Conversazione",
    welcome: "Di che cosa parliamo?",
    suggestion1: "Perché il cielo è blu?",
    suggestion2: "Scrivi una breve poesia sulla pioggia su un tetto di lamiera.",
    suggestion3: "Spiega a un bambino di dieci anni come funziona un forno per ceramica.",
    you: "Tu",
    answer: "Risposta",
    copyAnswer: "Copia la risposta",
    regenerate: "Rispondi di nuovo",
    continue: "Continua",
    copyCode: "Copia il codice",
    table: "Tabella",
    code: (lines) => `Codice, ${counted(lines, { one: "riga", other: "righe" })}.`,
    noClipboard: "Il browser ha negato l’accesso agli appunti",
    dropped: "Il modello non vede più questo messaggio",
    stopped: "Hai fermato questa risposta.",
    cutOff: "Risposta troncata: raggiunto il limite di token.",
    interrupted: "Questa risposta è stata interrotta.",
    noAnswer: "Non c’è ancora una risposta.",
    complete: "La risposta è completa.",
    speed,
    stats: ({ completion, rate, prompt, reused, prefill }) => {
      const kept = reused > 0 ? ` (di cui ${number(reused)} riutilizzati)` : "";
      const read = `${tokens(prompt)} in ingresso${kept} in ${seconds(prefill)}`;
      return [tokens(completion), ...(rate === null ? [] : [speed(rate)]), read].join(" · ");
    },
  },

  composer: {
    message: "Messaggio",
    placeholder: "Scrivi un messaggio",
    send: "Invia",
    stop: "Ferma",
    stopKey: "Ferma (Esc)",
    newest: "Vai al messaggio più recente",
    closeMessage: "Chiudi questo messaggio",
    promise: "Nulla di ciò che scrivi lascia questa scheda.",
    mistakes: "I modelli piccoli sbagliano.",
    contextLabel: "Contesto in uso",
    context: (used, size) => `${number(used)} di ${tokens(size)}`,
  },

  settings: {
    kept: "Restano in questo browser.",
    language: "Lingua",
    languageAuto: "Quella del browser",
    languageHelp: "La pagina si riapre nella lingua scelta; la conversazione resta.",
    runOn: "Esecuzione",
    runOnAuto: "Automatica",
    runOnCard: "Scheda grafica (WebGPU)",
    runOnProcessor: "Processore (WebAssembly)",
    reload: "Ricarica il modello",
    next: "Ciò che segue vale dalla prossima risposta.",
    system: "Istruzioni generali",
    systemPlaceholder: "Ciò che il modello legge prima della conversazione",
    reset: "Ripristina i valori predefiniti",
    none: "nessuno",
    slider: (label) => `${label}, cursore`,
    needsNumber: (label) => `${label}: serve un numero.`,
    outOfRange: (label, whole, min, max) =>
      `${label}: serve ${whole ? "un numero intero" : "un numero"} da ${min} a ${max}.`,
    addressAsks: (what) =>
      `L’indirizzo di questa pagina chiede ${what}, che prevale su questa impostazione.`,
    automatic: "Automatica prende il modo più veloce che funziona su questo dispositivo.",
    stillRuns: (place) =>
      `Il modello funziona ancora ${place}. Ricaricarlo conserva la conversazione.`,
    runs: (place) => `Il modello funziona ${place}.`,
  },

  offline: {
    title: "Senza rete",
    preparing: "Sarà conservata per l’uso senza rete appena un modello sarà pronto.",
    kept: "Questa pagina funziona senza rete, e così i modelli già caricati qui.",
    impossible: (why) => `L’uso senza rete non è possibile: ${why}`,
    problems: {
      unsupported: () =>
        "questo browser non lo permette qui, come in una finestra di navigazione privata.",
      off: () => "questo sito lo ha disattivato.",
      storage: () => "il browser non ha spazio, o il suo archivio non è accessibile.",
      network: (file) => `non è stato possibile scaricare ${file}.`,
      integrity: (file) => `${file} non ha il contenuto che indica l’elenco dei file del sito.`,
      internal: () => "la pagina ha incontrato un errore che non conosce.",
    },
    newVersion:
      "È pronta una nuova versione di questa pagina. Le schede aperte tengono la propria finché restano aperte.",
    newerModel:
      "È pronta una nuova versione di questa pagina, che conosce i modelli ora presenti nel sito.",
    update: "Aggiorna ora",
    install: "Installa come app",
  },

  numbers: {
    temperature: {
      label: "Temperatura",
      help: "0 prende sempre la parola più probabile; più in alto è più libero.",
    },
    top_p: {
      label: "Top p",
      help: "Tiene le parole più probabili che insieme raggiungono questa quota. 1: senza effetto.",
    },
    min_p: {
      label: "Min p",
      help: "Scarta le parole molto meno probabili della prima. 0: senza effetto.",
    },
    repetition_penalty: {
      label: "Penalità di ripetizione",
      help: "Sopra 1 scoraggia le parole già viste. 1: senza effetto.",
    },
    presence_penalty: {
      label: "Penalità di presenza",
      help: "Sopra 0 spinge verso argomenti nuovi.",
    },
    frequency_penalty: {
      label: "Penalità di frequenza",
      help: "Sopra 0 scoraggia le parole quanto più sono state usate.",
    },
    top_k: {
      label: "Top k",
      help: "Tiene questo numero di parole più probabili. 0: senza effetto.",
    },
    max_tokens: {
      label: "Lunghezza massima, in token",
      help: "Vuoto: finché nel contesto c’è posto.",
    },
    seed: {
      label: "Seme casuale",
      help: "Lo stesso seme dà la stessa risposta. Vuoto: uno nuovo ogni volta.",
    },
  },

  address: {
    title: "Una parte dell’indirizzo non è stata compresa",
    leftOut: (name, value, allowed) => `${name}=${value} non è ${allowed}; viene ignorato.`,
    backends: "webgpu o wasm",
    threads: "un numero intero di thread",
    context: "un numero intero di token",
  },

  overflow: {
    title: "La conversazione riempie il contesto del modello",
    alone:
      "L’ultimo messaggio occupa da solo tutto il contesto del modello. Accorcialo, o ricomincia.",
    older:
      "Il modello non vede più indietro di così. Si possono tralasciare gli scambi più vecchi, o ricominciare.",
    drop: "Tralascia gli scambi più vecchi",
    anew: "Inizia una nuova conversazione",
  },

  conversation: {
    notKept: "Qui non si conserva nulla: le conversazioni vanno perse con questa scheda.",
    silent: "il database del browser non risponde",
    silentHint: "Chiudi le altre schede di questo sito e ricarica la pagina.",
    newer:
      "le conversazioni di questo browser sono state conservate da una versione più recente di questa pagina",
    newerHint: "Ricarica la pagina per avere quella versione.",
    shut: (reason) => `questo browser non conserva dati per questa pagina (${reason})`,
    shutHint:
      "Succede nelle finestre private e con i dati del sito bloccati; consentili per conservare le conversazioni.",
    notSaved: "Non è stato possibile conservare le ultime parole.",
    noRoom:
      "Su questo dispositivo non c’è più spazio: elimina conversazioni o modelli, o esporta ciò che vuoi tenere.",
    refused: (reason) => `Il database del browser segnala: ${reason}.`,
    unread: "Impossibile mostrare la conversazione",
    missing: "La conversazione indicata dall’indirizzo non è in questo browser.",
    elsewhere: "Questa conversazione è aperta in un’altra scheda, che la porta avanti.",
    takeOver: "Continua qui",
    otherModel: (model) => `Questa conversazione si è svolta con ${model}.`,
    useModel: (model) => `Continua con ${model}`,
  },

  history: {
    title: "Conversazioni",
  },

  device: {
    title: "Come funziona qui",
    chip: "Come funziona qui il modello",
    chipRung: (rung) => `Come funziona qui il modello: ${rung}`,
    checked: "Che cosa è stato controllato",
    rungs: "I modi di farlo funzionare, dal migliore",
    inUse: "in uso",
    chosen: "scelto",
    possible: "possibile",
    notHere: "non qui",
    adapter: "Scheda grafica",
    halfPrecision: "La sua mezza precisione",
    subgroups: "I suoi sottogruppi",
    extensions: "WebAssembly",
    noExtensions: "senza estensioni",
    cores: "Core del processore",
    secure: "Contesto sicuro",
    isolated: "Isolata da altre origini",
    yes: "sì",
    no: "no",
    noAdapter: "nessuna",
    noName: "senza nome",
    emulated: (name) => `${name} (emulata via software)`,
    model: "Modello",
    runsAs: "Funziona come",
    context: "Contesto",
    vocabulary: "Vocabolario",
    tokens,
    notes: "Da sapere",
    copy: "Copia come JSON",
    notSent: "Nulla viene inviato da nessuna parte.",
    copied: "Copiato negli appunti; nulla è stato inviato.",
    reportTitle: "Che cosa è stato controllato, come JSON",
    refused:
      "Il browser ha negato gli appunti. Il testo è selezionato: copialo con Ctrl+C o ⌘C. " +
      "Nulla viene inviato da nessuna parte.",
  },

  ladder: {
    place: (backend, threads) => {
      if (backend === "webgpu") return "sulla scheda grafica (WebGPU)";
      const forms = { one: "thread", other: "thread" };
      const known = threads === undefined ? "" : `, ${counted(threads, forms)}`;
      return `sul processore (WebAssembly${known})`;
    },
    card: "Scheda grafica",
    processor: "Processore",
    runs: (place) => `Funziona ${place}`,
    addressAsks: (what) => `Lo chiede l’indirizzo di questa pagina (${what}).`,
    addressOverrules: (what) =>
      `Lo chiede l’indirizzo di questa pagina (${what}), che prevale sulla tua impostazione «Esecuzione».`,
    settingAsks: "Lo chiede la tua impostazione «Esecuzione».",
    together: (reasons) => reasons.join("; "),
    youAsked: "Lo hai chiesto qui.",
    startedAgain: (place) => `Il modello è stato riavviato ${place}`,
    nowRuns: (place) => `Ora il modello funziona ${place}`,
    modelRuns: (place) => `Il modello funziona ${place}`,
    allHere: "La conversazione è intatta.",
    fasterLeftOut: (variants) => `Un modo più veloce (${variants.join(", ")}) è escluso.`,
    cardNotUsed: "La scheda grafica non viene usata.",
    processorNotUsed: "Il processore non viene usato.",
    tryAgain: "Riprova",
    useAnyway: "Usala comunque",
    oneThread:
      "Ha un solo thread, perché questo sito non isola le sue pagine. Il proprietario del sito " +
      "potrebbe renderlo più veloce inviando le intestazioni " +
      "Cross-Origin-Opener-Policy: same-origin e Cross-Origin-Embedder-Policy: require-corp.",
  },

  verdict: {
    noVariant: (variant) => `Questo modello non ha la variante ${variant}`,
    notAs: (variant) => `Qui non può funzionare come ${variant}`,
    notThere: (place) => `Qui non può funzionare ${place}`,
    otherwise: "Qui può funzionare in un altro modo.",
    choose: "Scegli automaticamente",
    insecure: "Questa pagina richiede un indirizzo sicuro",
    insecureHint: "Aprila tramite https, o come localhost sul computer che la ospita.",
    noWebGpu: "WebGPU non è disponibile qui",
    noWebGpuHint:
      "Usa una versione recente di Chrome, Edge, Firefox o Safari, attiva l’accelerazione " +
      "hardware nelle sue impostazioni e aggiorna il driver grafico.",
    unable: "Questo dispositivo non può far funzionare il modello",
    unableHint:
      "Scegli un modello più piccolo, oppure apri questa pagina su un altro dispositivo o in un " +
      "altro browser.",
  },

  /** Notes that the engine adds to what is good to know. */
  metered: {
    title: "Questa connessione potrebbe avere un costo",
    line: (size) =>
      `Il browser chiede di risparmiare dati, o segnala che la rete è mobile. Al modello mancano ancora ${bytes(size)}.`,
    download: "Scarica",
    later: "Non ora",
  },

  remarks: {
    notKept: (needed, free) =>
      `Non c’è posto per conservare questo modello: gli servono ancora ${bytes(needed)}${free === null ? "" : `, e per questo sito sono liberi ${bytes(free)}`}. Funziona lo stesso, ma la prossima visita scaricherà di nuovo il resto. Libera spazio o elimina un modello.`,
    notStored:
      "Il browser non ha conservato i file del modello; la prossima visita li scaricherà di nuovo.",
    damaged:
      "Una parte di ciò che questo browser aveva conservato del modello era danneggiata; è stata scaricata di nuovo.",
    evicted: (lost) =>
      `${bytes(lost)} di questo modello, conservati dal browser, erano spariti e sono stati scaricati di nuovo. I browser cancellano ciò che conservano quando il disco è pieno, salvo promessa contraria.`,
    mirror: (served, total, mirror) =>
      `${number(served)} file su ${number(total)} vengono dal mirror ${mirror}.`,
    tunedRefused: (vendor) =>
      `I kernel ottimizzati per ${vendor} qui non vanno bene; al loro posto girano quelli generali.`,
    recovered: (cause, moved, rung) =>
      `${cause}; ${moved ? `la risposta è continuata come ${rung}` : "la risposta è continuata dopo un ricaricamento"}.`,
  },

  trouble: {
    retry: "Riprova",
    reload: "Ricarica il modello",
    close: "Chiudi",
    onProcessor: "Carica sul processore",
  },

  server: {
    offer: "Far rispondere un server",
    host: (host) => `Server: ${host}`,
    sign: (origin) => `Ciò che invii va a ${origin}.`,
    change: "Indirizzo e token",
    leave: "Non inviare più",
    since: (origin, model) => `In questa conversazione risponde ${model} su ${origin}.`,
    named: (model) => `${model} su un server`,
  },

  privacy: {
    open: "Che cosa ha richiesto questa pagina",
  },

  faults,

  reasons: {
    insecure:
      "la pagina è stata aperta con semplice http, dove i browser non offrono né WebGPU né archiviazione",
    "no-webgpu": "questo browser non offre WebGPU, oppure WebGPU è disattivato",
    "no-adapter":
      "WebGPU non ha trovato una scheda grafica utilizzabile: non c’è, oppure è bloccata o disattivata",
    "card-lacks": (feature) => `alla scheda grafica mancano ${FEATURES[feature] ?? feature}`,
    "card-too-small": "la scheda grafica è troppo piccola per questo modello",
    "not-isolated": "la pagina non è isolata da altre origini, e WebAssembly ha qui un solo thread",
    "wasm-lacks": (feature) =>
      `al WebAssembly di questo browser mancano ${FEATURES[feature] ?? feature}`,
    "wasm-memory": (needed, available, fits) =>
      `il modello occupa ${bytes(needed)} e WebAssembly ha ${bytes(available)}: ` +
      (fits > 0 ? `ci sta un contesto di al massimo ${tokens(fits)}` : "non ci sta alcun contesto"),
    "scarce-memory": (needed) =>
      `occupa circa ${bytes(needed)}, gran parte di ciò che si sa della memoria di questo dispositivo: la memoria può mancare`,
    crashed: "l’ultimo caricamento in questo modo è finito con un arresto anomalo",
    emulated: "la scheda grafica è emulata via software: funziona, ma lentamente",
    "emulated-passed-over":
      "la scheda grafica è emulata via software: viene tralasciata, perché WebAssembly è più veloce",
    fault: {
      "wrong-answer": "una prova con risultati noti ha dato risposte sbagliate",
      "device-lost": "la scheda grafica si è fermata a metà del lavoro",
      "out-of-memory": "il dispositivo ha esaurito la memoria",
      "device-too-small": "serve più di quanto questo dispositivo consenta in un blocco solo",
      "gpu-validation": "il driver grafico ha rifiutato un comando",
      "kernel-fault": "il programma del modello si è fermato per un difetto",
    },
    failed: "il tentativo non è riuscito",
  },
};

/** Texts of panels that arrive when they are asked for. */
export const panels: PanelWords = {
  server: {
    title: "Far rispondere un server in questa conversazione",
    lead:
      "Di regola il modello gira in questa scheda e niente di ciò che scrivi ne esce. Puoi far " +
      "rispondere un server al suo posto, solo per questa conversazione.",
    address: "Indirizzo del server",
    allowed: (origins) => `Questo sito può contattare ${list(origins)}, e nient’altro.`,
    token: "Token di accesso",
    tokenHelp:
      "Da lasciare vuoto se il server non ne chiede. Viene inviato solo a questo server e non fa parte di nessuna esportazione.",
    keepToken: "Tienilo in questa scheda quando la pagina viene ricaricata",
    connect: "Mostra i suoi modelli",
    connecting: "Interrogazione del server…",
    model: "Modello",
    sends: (origin) =>
      `Da allora, a ogni messaggio inviato, l’intera conversazione va a ${origin}: ciò che hai ` +
      "scritto prima, le risposte e le istruzioni generali. Che cosa ne sarà là dipende da chi gestisce " +
      "quel server.",
    thisDevice: "A giudicare dall’indirizzo, quel server gira su questo dispositivo.",
    onlyHere: "Le nuove conversazioni non vengono inviate là.",
    use: "Invia là questa conversazione",
    faults: {
      "server-address": {
        title: "Non è l’indirizzo di un server",
        text: ({ address }) => `«${address}» non può essere interrogato.`,
        hint: () => "Scrivilo come http://localhost:11434.",
      },
      "server-not-allowed": {
        title: "Questo sito non può contattare quel server",
        text: ({ address, allowed }) => `${address} non è tra ${list(allowed ?? [])}.`,
        hint: () => "Il proprietario del sito può permetterlo con --allow-server.",
      },
      "server-mixed": {
        title: "Il browser lo vieta",
        text: ({ address }) =>
          `Questa pagina è arrivata via https; ${address} verrebbe interrogato in semplice http.`,
        hint: () =>
          "Attiva https sul server, o eseguilo su questo dispositivo con il nome localhost.",
      },
      "server-unreachable": {
        title: "Il server non ha dato una risposta che questa pagina possa leggere",
        text: ({ address, permission }) =>
          permission === "denied"
            ? `Al browser è stato detto di non far raggiungere a questo sito server su questo dispositivo o nella sua rete, come ${address}.`
            : `O niente risponde a ${address}, o il server non ammette questo sito. I browser non dicono quale dei due casi si presenta.`,
        hint: ({ permission }) =>
          permission === "denied"
            ? "Permettilo nelle impostazioni del browser per questo sito e riprova."
            : `Verifica che il server sia in funzione. Poi fagli ammettere questo sito (CORS): la sua origine è ${location.origin}.`,
      },
      "server-token": {
        title: "Il server chiede un token di accesso",
        text: ({ address, said }) =>
          `${address} ha rifiutato la richiesta${said ? `: ${said}` : ""}.`,
        hint: () => "Inserisci il token con cui il server è stato avviato.",
      },
      "server-missing": {
        title: "Il server non ha trovato ciò che era richiesto",
        text: ({ address, said }) => `${address} non c’è${said ? `: ${said}` : ""}.`,
        hint: () => "Controlla l’indirizzo e scegli uno dei modelli del server.",
      },
      "server-refused": {
        title: "Il server segnala un errore",
        text: ({ address, status, said }) =>
          [address, status && String(status), said].filter(Boolean).join(": "),
        hint: () => "Il registro del server può dire di più.",
      },
      "server-strange": {
        title: "La risposta del server non si può leggere",
        text: ({ address }) => `${address} ha risposto altro da ciò che era stato chiesto.`,
        hint: () => "Verifica che l’indirizzo sia quello di un server compatibile con OpenAI.",
      },
      "server-broke-off": {
        title: "La risposta si è interrotta",
        text: ({ address }) => `${address} l’ha interrotta prima che fosse completa.`,
        hint: () => "Chiedi di nuovo; il registro del server può dire di più.",
      },
    },
  },

  privacy: {
    title: "Che cosa ha richiesto questa pagina",
    requests: (count) => counted(count, { one: "richiesta", other: "richieste" }),
    allHere: (requests) =>
      `${requests}, tutte a questo sito; niente di ciò che hai scritto è stato inviato.`,
    listed: (requests, origins) =>
      `${requests}: a questo sito e a ${list(origins)}, dove tiene i suoi modelli. Niente di ciò che ` +
      "hai scritto è stato inviato.",
    toServer: (requests, origin) =>
      `${requests}. Le conversazioni a cui ha risposto ${origin} sono state inviate là, e da nessun’altra parte.`,
    unlisted: (origins) =>
      `Ci sono state richieste a ${list(origins)}, che questo sito non elenca. Avvisa il suo proprietario.`,
    since:
      "Da quando la pagina è stata caricata; il conto continua finché questo pannello è aperto.",
    network: (size) => `${bytes(size)} dalla rete`,
    kept: "da questo browser",
    untold: "dimensione non comunicata",
    sent: (size) => `${bytes(size)} inviati`,
    why: {
      page: "Pagina",
      engine: "Motore",
      model: "File del modello",
      offline: "Service worker",
      server: "Server scelto da te",
    },
    by: {
      page: "la pagina",
      worker: "il worker del modello",
      thread: "un thread",
      "service-worker": "il service worker",
    },
    failed: "non riuscita",
    byWorker: "risposta del service worker",
    origins: "Che cosa può contattare",
    thisSite: "questo sito",
    forModels: "modelli",
    forServer: "server, solo se lo scegli",
    policy: "Il browser fa rispettare questo elenco, con la Content Security Policy del sito.",
    refused: (addresses) => `Ha rifiutato ${list(addresses)}.`,
    noWorker: "Non c’è un service worker.",
    silentWorker: "Il service worker non ha risposto.",
    blind: "Che cosa questo elenco non vede",
    blindItems: [
      "Le richieste che il browser fa da sé: per lo script del service worker, per compilare moduli, per conto proprio.",
      "Quelle di altre schede e delle estensioni, che possono vedere e inviare ciò che scrivi.",
      "Il contenuto di una richiesta: conosce indirizzi e dimensioni. Ciò che scrivi viene inviato solo al server che hai scelto.",
      "Le dimensioni che altre origini tengono per sé, e ciò che una parte della pagina richiedeva nel momento in cui è stata chiusa.",
      "Ciò che annota il server del sito: il tuo indirizzo, e quando hai chiesto quale file.",
    ],
    check:
      "Per verificare senza passare da questa pagina, apri la vista di rete degli strumenti di sviluppo del browser e ricarica.",
    copy: "Copia l’elenco",
    copied: "Copiato negli appunti; niente è stato inviato.",
    notCopied: "Il browser ha rifiutato gli appunti: seleziona l’elenco e copialo.",
  },

  library: {
    looking: "Esame di questo dispositivo…",
    measuring: "Misurazione della velocità di questo dispositivo…",
    fit: {
      well: "Qui funziona bene",
      tight: "Qui può faticare",
      unknown: "Non si può dire in anticipo",
      no: "Qui non funziona",
    },
    suggested: {
      only: "Consigliato: l’unico che funziona qui",
      "best-fit": "Consigliato: è il più adatto a questo dispositivo",
      largest: "Consigliato: il più grande tra i più adatti a questo dispositivo",
    },
    because: {
      memoryUnknown: (needed) =>
        `occupa ${bytes(needed)} di memoria, e i browser non dicono se questo dispositivo ne dispone`,
      ranOut: "l’ultima volta la memoria di questo dispositivo non è bastata",
      ranOutAt: (context) =>
        `l’ultima volta la memoria di questo dispositivo non è bastata, con un contesto di ${tokens(context)}`,
      disk: (missing, free) =>
        `non può essere conservato: mancano ${bytes(missing)} e il browser ha posto per ${bytes(free)}; verrebbe scaricato a ogni visita`,
      slow: "le risposte arriveranno più lentamente di quanto si legge",
      unread: (title) => `non è stato possibile leggerne la composizione (${title})`,
      limit: (name, needed, offered) =>
        offered === undefined
          ? `il browser non conosce il limite ${name}`
          : `richiede ${name} di ${number(needed)}, e la scheda grafica offre ${number(offered)}`,
    },
    size: "Dimensione",
    toFetch: (total, missing) => {
      if (missing === 0) return `${bytes(total)}, tutto in questo browser`;
      const rest =
        missing < total
          ? `, ancora ${bytes(missing)} da scaricare`
          : " da scaricare una sola volta";
      return `${bytes(total)}${rest}`;
    },
    speed: "Velocità",
    estimated: (rate) => `circa ${speed(rate)} (stima)`,
    measured: (rate) => `${speed(rate)} (misurati qui)`,
    memory: "Memoria",
    licence: "Licenza",
    terms: "Condizioni",
    languages: "Lingue",
    data: "Dati di addestramento",
    base: "Derivato da",
    authors: "Autori",
    quantization: "Quantizzazione",
    coded: (bits) => `codici a ${bits} bit`,
    plain: (bits) => `numeri a ${bits} bit`,
    share: (name, share) => `${name} (${number(share * 100)}%)`,
    original: (types) => `nel checkpoint ${types.join(", ")}`,
    parameters: "Parametri",
    count: (count) => number(count),
    context: "Contesto",
    tokens: (usual, most) => `${number(usual)}, al massimo ${tokens(most)}`,
    source: "Fonte",
    unknown: "non nota",
    unstated: "non indicato",
    wrong: "Le sue risposte possono essere sbagliate. Verifica ciò che conta.",
    embeds: "Trasforma testi in vettori e non conversa.",
    choose: "Conversa con questo modello",
    chosen: "Scelto",
    download: "Scarica e conversa",
    of: (action, model) => `${action}: ${model}`,
    others: "Conservati anche in questo browser",
    othersWhy:
      "Questo sito non li offre, o non li offre più: versioni precedenti dei suoi modelli e quelli di altri siti a questo indirizzo.",
    remove: "Elimina",
    removeAsk: (model, kept) =>
      `Eliminare ${model} (${bytes(kept)}) da questo browser? Le tue conversazioni restano.`,
    removeYes: "Elimina",
    removeNo: "Conserva",
    removed: (model, freed) => `${model} è stato eliminato: ${bytes(freed)} sono di nuovo liberi.`,
    space: (used, free) =>
      free === null
        ? `I modelli occupano ${bytes(used)} in questo browser.`
        : `I modelli occupano ${bytes(used)} in questo browser; c’è posto per altri ${bytes(free)}.`,
    persist: "Conserva i modelli in modo duraturo",
    persistWhy:
      "Quando lo spazio scarseggia il browser può cancellare ciò che questo sito conserva, e i modelli verrebbero scaricati di nuovo. Puoi chiedergli di non farlo.",
    persisted: "Il browser conserva i modelli finché non li elimini.",
    persistRefused:
      "Il browser non ha acconsentito. Forse lo farà quando userai questa pagina più spesso.",
  },

  history: {
    anew: "Nuova conversazione",
    search: "Cerca nei titoli e nei testi",
    none: "Ancora nessuna conversazione.",
    notKept: (why) => `Non c’è un elenco: le conversazioni vanno perse con la loro scheda. ${why}`,
    untitled: "Senza titolo",
    more: (title) => `Altro per ${title}`,
    rename: "Rinomina",
    newTitle: "Nuovo titolo",
    exportOne: (title, form) => `${form}: esporta ${title}`,
    remove: "Elimina",
    doTo: (action, title) => `${action}: ${title}`,
    removed: (title) => `Eliminata: ${title}.`,
    undo: "Annulla",
    putBack: (title) => `Ripristinata: ${title}.`,
    tools: "Esporta, importa, elimina",
    exportAll: (form) => `Esporta tutto (${form})`,
    importFile: "Importa…",
    removeAll: "Elimina tutto…",
    confirm: (count) =>
      `Eliminare ${conversations(count)} da questo browser? Non si può annullare.`,
    confirmRemove: "Elimina tutto",
    keep: "Tieni",
    allRemoved: "Tutte le conversazioni sono state eliminate.",
    searching: "Ricerca…",
    found: (count) =>
      count === 0
        ? "Nessun risultato."
        : counted(count, { one: "conversazione trovata.", other: "conversazioni trovate." }),
    imported: (count) =>
      count === 0
        ? "Non c’era nulla di nuovo."
        : counted(count, { one: "conversazione importata.", other: "conversazioni importate." }),
    known: (count) =>
      counted(count, { one: "conversazione c’era già.", other: "conversazioni c’erano già." }),
    today: "Oggi",
    yesterday: "Ieri",
    longAgo: "Tempo fa",
  },

  file: {
    notJson: "il file non è JSON",
    notExport: "il file è JSON, ma non un’esportazione di conversazioni",
    newer: (version) =>
      `il file ha la versione ${version}, più recente di quelle che questa pagina conosce`,
    wrong: (where, found, wanted) => `${where} è ${found}; dev’essere ${wanted}`,
    missing: "assente",
    twice: (where, id) => `${where} è ${id}, come in un’altra conversazione di questo file`,
    tooLarge: (size) => `il file ha ${bytes(size)}, più di quanto la pagina possa leggere`,
    unread: "il file non si può leggere",
    hint: "Non è stato importato nulla. Scegli un file che questa pagina ha esportato, senza modifiche.",
    newerHint:
      "Non è stato importato nulla. Ricarica la pagina per averne la versione più recente, e riprova.",
    object: "un oggetto",
    list: "un elenco",
    string: "un testo",
    boolean: "true o false",
    id: "da 1 a 64 lettere, cifre o trattini",
    date: "una data come 2026-11-22T08:15:00.000Z",
    either: (...values) => `${values.slice(0, -1).join(", ")} o ${values.at(-1)}`,
    stats: "cinque numeri non negativi",
  },
};
