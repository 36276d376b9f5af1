/** Les textes en français. Les espaces avant « ; : ? ! » et dans les guillemets sont insécables. */

import type { ErrorCode } from "../../engine/api";
import type { Fault, Words } from "./en";
import type { PanelWords } from "./en-panels";
import { figures } from "./figures";

const { number, counted, bytes, bytesPerSecond, duration, seconds, list } = figures("fr");

const tokens = (count: number) => counted(count, { one: "token", other: "tokens" });
const conversations = (count: number) =>
  counted(count, { one: "conversation", other: "conversations" });
const speed = (rate: number) => `${number(rate, rate < 10 ? 1 : 0)} tokens/s`;

const FEATURES: Record<string, string> = {
  "shader-f16": "la prise en charge des nombres en demi-précision",
  subgroups: "la communication directe entre ses cœurs",
  simd128: "la prise en charge des vecteurs (simd128)",
  "relaxed-simd": "la prise en charge des vecteurs assouplis (relaxed-simd)",
};

const faults: Record<ErrorCode, Fault> = {
  "insecure-context": {
    title: "Cette page demande une adresse sécurisée",
    text: () => "Les navigateurs n’offrent ce qu’il faut au modèle qu’aux pages sécurisées.",
    hint: "Ouvrez-la en https, ou à l’adresse localhost sur la machine qui la sert.",
  },
  "webgpu-unavailable": {
    title: "Ce navigateur n’offre pas WebGPU",
    text: () => "Le modèle ne peut pas fonctionner ici de la manière demandée.",
    hint: "Prenez une version récente de Chrome, Edge, Firefox ou Safari, et activez WebGPU dans ses réglages.",
  },
  "no-adapter": {
    title: "Aucune carte graphique n’a été trouvée",
    text: () => "Il n’y en a pas, ou le navigateur la bloque.",
    hint: "Activez l’accélération matérielle dans les réglages du navigateur, mettez à jour le pilote graphique et redémarrez le navigateur.",
  },
  "device-too-small": {
    title: "Cet appareil ne peut pas faire fonctionner le modèle",
    text: ({ bytes: needed, allowed }) =>
      needed && allowed
        ? `Il lui faut ${bytes(needed)} d’un seul tenant ; cet appareil en permet ${bytes(allowed)}.`
        : "Il demande plus que ce que cet appareil possède.",
    hint: "Choisissez un modèle ou un contexte plus petit, ou ouvrez la page sur un autre appareil.",
  },
  "unsupported-format": {
    title: "Le modèle a été préparé pour une autre version",
    text: () => "Cette page ne sait pas lire ses fichiers.",
    hint: "Mettez cette page à jour si elle le propose, sinon rechargez-la. Si rien ne change, le propriétaire du site doit recompiler le modèle ou mettre le site à jour.",
  },
  "bad-bundle": {
    title: "Les fichiers du modèle sont endommagés",
    text: () => "Leur contenu n’est pas cohérent.",
    hint: "Le propriétaire du site doit recompiler le modèle.",
  },
  network: {
    title: "Un téléchargement a échoué",
    text: ({ file, status, origin }) => {
      const name = file ?? "un fichier";
      if (status) return `Le serveur a répondu ${status} à la demande de ${name}.`;
      if (origin)
        return `${name} n’est pas arrivé : ${origin} est injoignable, ou ne laisse pas ce site lire ses fichiers (Access-Control-Allow-Origin).`;
      return `La connexion s’est interrompue pendant le téléchargement de ${name}.`;
    },
    hint: "Vérifiez la connexion et réessayez ; ce qui est déjà arrivé est conservé.",
  },
  integrity: {
    title: "Un fichier n’est pas celui attendu",
    text: ({ file }) =>
      `Le contenu de ${file ?? "ce fichier"} n’est pas celui que cette page attend ; il n’a pas été utilisé.`,
    hint: "Mettez cette page à jour si elle le propose, sinon rechargez-la. Si rien ne change, la copie du serveur est endommagée ou périmée.",
  },
  storage: {
    title: "Le stockage du navigateur a refusé un fichier",
    text: () => "Il n’y a peut-être plus de place sur cet appareil.",
    hint: "Libérez de la place et réessayez.",
  },
  "out-of-memory": {
    title: "L’appareil n’a plus de mémoire",
    text: () => "Le modèle n’a pas trouvé la place qu’il lui faut.",
    hint: "Fermez d’autres onglets, ou choisissez un modèle ou un contexte plus petit.",
  },
  "device-lost": {
    title: "La carte graphique n’est plus disponible",
    text: () => "Le navigateur a retiré la carte graphique au milieu de son travail.",
    hint: "Rechargez le modèle ; si cela se répète, choisissez un modèle ou un contexte plus petit.",
  },
  "worker-lost": {
    title: "Le processus du modèle s’est arrêté",
    text: () => "La partie de la page qui fait fonctionner le modèle a pris fin.",
    hint: "Rechargez le modèle ; si la mémoire manquait, choisissez un modèle ou un contexte plus petit.",
  },
  "gpu-validation": {
    title: "Le pilote graphique a refusé une commande",
    text: () => "C’est un défaut des programmes du modèle ou du navigateur.",
    hint: "Rechargez le modèle ; si rien ne change, merci de le signaler en joignant les détails.",
  },
  "kernel-fault": {
    title: "Le modèle s’est arrêté au milieu de son travail",
    text: () => "C’est un défaut des programmes du modèle ou du navigateur.",
    hint: "Rechargez le modèle ; si rien ne change, merci de le signaler en joignant les détails.",
  },
  "wrong-answer": {
    title: "Cet appareil se trompe dans ses calculs",
    text: () => "Il a donné de mauvais résultats dans un test dont les réponses sont connues.",
    hint: "Mettez à jour le navigateur et le pilote graphique, ou faites fonctionner le modèle autrement.",
  },
  "context-overflow": {
    title: "La conversation est trop longue",
    text: ({ tokens: taken, context }) =>
      taken && context
        ? `Elle prend ${tokens(taken)} ; le contexte du modèle en contient ${number(context)}.`
        : "Elle prend plus que ce que contient le contexte du modèle.",
    hint: "Laissez de côté les échanges les plus anciens, ou commencez une nouvelle conversation.",
  },
  "bad-request": {
    title: "Le modèle ne peut pas traiter cette demande",
    text: ({ context, fits }) =>
      context && fits
        ? `Un contexte de ${tokens(context)} a été demandé ; ce modèle en prend au plus ${number(fits)}.`
        : "Quelque chose dans la demande n’est pas possible avec ce modèle.",
    hint: "Les détails précisent quoi ; modifiez-le et recommencez.",
  },
  aborted: {
    title: "Arrêté",
    text: () => "L’opération a été arrêtée avant sa fin.",
    hint: "Relancez-la.",
  },
  internal: {
    title: "Quelque chose n’a pas fonctionné",
    text: () => "La page a rencontré une erreur qu’elle ne connaît pas.",
    hint: "Rechargez la page et réessayez ; si cela se reproduit, merci de le signaler en joignant les détails.",
  },
};

export const words: Words = {
  figures: figures("fr"),

  site: {
    description: "Un modèle de langage qui fonctionne dans cet onglet du navigateur.",
    skip: "Aller au champ de message",
    model: "Modèle",
    newChat: "Nouvelle conversation",
    settings: "Réglages",
    close: "Fermer",
    details: "Détails",
  },

  start: {
    title: "Un modèle de langage, dans cet onglet",
    lead: "Il fonctionne sur votre propre appareil. Rien de ce que vous écrivez ne quitte cet onglet.",
    looking: "Recherche de modèles…",
    size: (size) => `${bytes(size)}, à télécharger une seule fois`,
    sizeKept: (size) => `${bytes(size)}, gardés dans ce navigateur`,
    load: "Charger le modèle",
    start: "Démarrer",
    checking: "Examen de cet appareil…",
    noModel: "Aucun modèle",
    noModelTitle: "Modèle introuvable",
    noBundle: "Le site n’a aucun modèle que cette version sache lire.",
    notHere: (wanted) => `Il n’y a pas de ${wanted} ici.`,
    siteHas: (names) => `Ce site propose : ${names.join(", ")}.`,
    embedderTitle: "Ce modèle ne converse pas",
    embedder: "Il transforme des textes en vecteurs, pour chercher et pour comparer leur sens.",
    embedderUse: "Utilisez-le depuis l’une de vos pages : engine.embed(texts).",
  },

  library: {
    title: "Modèles",
    about: "À propos de ce modèle",
    compare: "Comparer les modèles",
  },

  progress: {
    label: "Chargement du modèle",
    starting: "Démarrage…",
    reading: "Lecture de la composition du modèle…",
    ready: "Prêt.",
    cancel: "Annuler",
    pause: "Suspendre",
    resume: "Reprendre",
    waiting: {
      paused: "suspendu",
      offline: "pas de réseau ; cela reprendra dès qu’il y en aura",
      retry: "le serveur ne répond pas ; nouvel essai en cours",
      tab: "un autre onglet est en train de le télécharger",
    },
    loaded: (some, all) => `${bytes(some)} sur ${bytes(all)}`,
    cached: (size) => `${bytes(size)} déjà dans ce navigateur`,
    rate: (perSecond) => bytesPerSecond(perSecond),
    left: (time) => `encore ${duration(time)}`,
    kernels: (done, all) => `noyaux ${number(done)} sur ${number(all)}`,
    compiling: "préparation",
  },

  chat: {
    label: "Conversation",
    welcome: "De quoi parlons-nous ?",
    suggestion1: "Pourquoi le ciel est-il bleu ?",
    suggestion2: "Écris un court poème sur la pluie sur un toit de tôle.",
    suggestion3: "Explique à un enfant de dix ans comment marche un four à céramique.",
    you: "Vous",
    answer: "Réponse",
    copyAnswer: "Copier la réponse",
    regenerate: "Répondre à nouveau",
    continue: "Continuer",
    copyCode: "Copier le code",
    table: "Tableau",
    code: (lines) => `Code, ${counted(lines, { one: "ligne", other: "lignes" })}.`,
    noClipboard: "Le navigateur a refusé l’accès au presse-papiers",
    dropped: "Le modèle ne voit plus ce message",
    stopped: "Vous avez arrêté cette réponse.",
    cutOff: "Réponse coupée : la limite de tokens est atteinte.",
    interrupted: "Cette réponse a été interrompue.",
    noAnswer: "Il n’y a pas encore de réponse.",
    complete: "La réponse est complète.",
    speed,
    stats: ({ completion, rate, prompt, reused, prefill }) => {
      const kept = reused > 0 ? ` (dont ${number(reused)} réutilisés)` : "";
      const read = `${tokens(prompt)} en entrée${kept} en ${seconds(prefill)}`;
      return [tokens(completion), ...(rate === null ? [] : [speed(rate)]), read].join(" · ");
    },
  },

  composer: {
    message: "Message",
    placeholder: "Écrivez un message",
    send: "Envoyer",
    stop: "Arrêter",
    stopKey: "Arrêter (Échap)",
    newest: "Aller au message le plus récent",
    closeMessage: "Fermer ce message",
    promise: "Rien de ce que vous écrivez ne quitte cet onglet.",
    mistakes: "Les petits modèles se trompent.",
    contextLabel: "Contexte utilisé",
    context: (used, size) => `${number(used)} sur ${tokens(size)}`,
  },

  settings: {
    kept: "Ils restent dans ce navigateur.",
    language: "Langue",
    languageAuto: "Celle du navigateur",
    languageHelp: "La page se rouvre dans la langue choisie ; la conversation reste.",
    runOn: "Exécution",
    runOnAuto: "Automatique",
    runOnCard: "Carte graphique (WebGPU)",
    runOnProcessor: "Processeur (WebAssembly)",
    reload: "Recharger le modèle",
    next: "Ce qui suit vaut à partir de la prochaine réponse.",
    system: "Consigne générale",
    systemPlaceholder: "Ce que le modèle lit avant la conversation",
    reset: "Rétablir les valeurs par défaut",
    none: "aucune",
    slider: (label) => `${label}, curseur`,
    needsNumber: (label) => `${label} : il faut un nombre.`,
    outOfRange: (label, whole, min, max) =>
      `${label} : il faut ${whole ? "un nombre entier" : "un nombre"} de ${min} à ${max}.`,
    addressAsks: (what) =>
      `L’adresse de cette page demande ${what}, ce qui l’emporte sur ce réglage.`,
    automatic: "Automatique prend la manière la plus rapide qui fonctionne sur cet appareil.",
    stillRuns: (place) =>
      `Le modèle fonctionne encore ${place}. Le recharger conserve la conversation.`,
    runs: (place) => `Le modèle fonctionne ${place}.`,
  },

  offline: {
    title: "Sans réseau",
    preparing: "Cette page sera gardée pour l’usage sans réseau dès qu’un modèle sera prêt.",
    kept: "Cette page fonctionne sans réseau, de même que les modèles déjà chargés ici.",
    impossible: (why) => `L’usage sans réseau n’est pas possible : ${why}`,
    problems: {
      unsupported: () =>
        "ce navigateur ne le permet pas ici, comme dans une fenêtre de navigation privée.",
      off: () => "ce site l’a désactivé.",
      storage: () => "le navigateur n’a pas assez de place, ou son stockage est inaccessible.",
      network: (file) => `impossible de télécharger ${file}.`,
      integrity: (file) => `${file} n’a pas le contenu annoncé par la liste des fichiers du site.`,
      internal: () => "la page a rencontré une erreur qu’elle ne connaît pas.",
    },
    newVersion:
      "Une nouvelle version de cette page est prête. Les onglets ouverts gardent la leur jusqu’à leur fermeture.",
    newerModel:
      "Une nouvelle version de cette page est prête ; elle connaît les modèles que le site propose maintenant.",
    update: "Mettre à jour",
    install: "Installer comme application",
  },

  numbers: {
    temperature: {
      label: "Température",
      help: "0 prend toujours le mot le plus probable ; plus haut, c’est plus libre.",
    },
    top_p: {
      label: "Top p",
      help: "Garde les mots les plus probables qui atteignent ensemble cette part. 1 : sans effet.",
    },
    min_p: {
      label: "Min p",
      help: "Écarte les mots bien moins probables que le premier. 0 : sans effet.",
    },
    repetition_penalty: {
      label: "Pénalité de répétition",
      help: "Au-dessus de 1, décourage les mots déjà vus. 1 : sans effet.",
    },
    presence_penalty: {
      label: "Pénalité de présence",
      help: "Au-dessus de 0, pousse vers de nouveaux sujets.",
    },
    frequency_penalty: {
      label: "Pénalité de fréquence",
      help: "Au-dessus de 0, décourage les mots d’autant plus qu’ils ont servi.",
    },
    top_k: { label: "Top k", help: "Garde ce nombre de mots les plus probables. 0 : sans effet." },
    max_tokens: {
      label: "Longueur maximale, en tokens",
      help: "Vide : tant qu’il y a de la place dans le contexte.",
    },
    seed: {
      label: "Graine aléatoire",
      help: "La même graine donne la même réponse. Vide : une nouvelle à chaque fois.",
    },
  },

  address: {
    title: "Une partie de l’adresse n’a pas été comprise",
    leftOut: (name, value, allowed) =>
      `${name}=${value} n’est pas ${allowed} ; il n’en est pas tenu compte.`,
    backends: "webgpu ou wasm",
    threads: "un nombre entier de fils d’exécution",
    context: "un nombre entier de tokens",
  },

  overflow: {
    title: "La conversation remplit le contexte du modèle",
    alone:
      "Le dernier message prend à lui seul tout le contexte du modèle. Raccourcissez-le, ou recommencez.",
    older:
      "Le modèle ne voit pas plus loin en arrière. On peut laisser de côté d’anciens échanges, ou recommencer.",
    drop: "Laisser de côté les plus anciens échanges",
    anew: "Commencer une nouvelle conversation",
  },

  conversation: {
    notKept: "Rien n’est conservé ici : les conversations disparaissent avec cet onglet.",
    silent: "la base de données du navigateur ne répond pas",
    silentHint: "Fermez les autres onglets de ce site et rechargez la page.",
    newer:
      "les conversations de ce navigateur ont été conservées par une version plus récente de cette page",
    newerHint: "Rechargez la page pour obtenir cette version.",
    shut: (reason) => `ce navigateur ne conserve pas de données pour cette page (${reason})`,
    shutHint:
      "C’est le cas dans les fenêtres privées et quand les données de site sont bloquées ; autorisez ces données pour conserver vos conversations.",
    notSaved: "Les derniers mots n’ont pas pu être conservés.",
    noRoom:
      "Cet appareil n’a plus de place : supprimez des conversations ou des modèles, ou exportez ce que vous voulez garder.",
    refused: (reason) => `La base de données du navigateur signale : ${reason}.`,
    unread: "La conversation ne peut pas être affichée",
    missing: "La conversation que désigne l’adresse n’est pas dans ce navigateur.",
    elsewhere: "Cette conversation est ouverte dans un autre onglet, qui la poursuit.",
    takeOver: "Continuer ici",
    otherModel: (model) => `Cette conversation a été menée avec ${model}.`,
    useModel: (model) => `Continuer avec ${model}`,
  },

  history: {
    title: "Conversations",
  },

  device: {
    title: "Comment il fonctionne ici",
    chip: "Comment le modèle fonctionne ici",
    chipRung: (rung) => `Comment le modèle fonctionne ici : ${rung}`,
    checked: "Ce qui a été examiné",
    rungs: "Les manières de le faire fonctionner, la meilleure d’abord",
    inUse: "en service",
    chosen: "choisie",
    possible: "possible",
    notHere: "pas ici",
    adapter: "Carte graphique",
    halfPrecision: "Sa demi-précision",
    subgroups: "Ses sous-groupes",
    extensions: "WebAssembly",
    noExtensions: "sans extensions",
    cores: "Cœurs du processeur",
    secure: "Contexte sécurisé",
    isolated: "Isolée des autres origines",
    yes: "oui",
    no: "non",
    noAdapter: "aucune",
    noName: "sans nom",
    emulated: (name) => `${name} (émulée par logiciel)`,
    model: "Modèle",
    runsAs: "Fonctionne en",
    context: "Contexte",
    vocabulary: "Vocabulaire",
    tokens,
    notes: "Bon à savoir",
    copy: "Copier en JSON",
    notSent: "Rien de tout cela n’est envoyé.",
    copied: "Copié dans votre presse-papiers ; rien n’a été envoyé.",
    reportTitle: "Ce qui a été examiné, en JSON",
    refused:
      "Le navigateur a refusé son presse-papiers. Le texte est sélectionné : copiez-le avec " +
      "Ctrl+C ou ⌘C. Rien de tout cela n’est envoyé.",
  },

  ladder: {
    place: (backend, threads) => {
      if (backend === "webgpu") return "sur la carte graphique (WebGPU)";
      const forms = { one: "fil d’exécution", other: "fils d’exécution" };
      const known = threads === undefined ? "" : `, ${counted(threads, forms)}`;
      return `sur le processeur (WebAssembly${known})`;
    },
    card: "Carte graphique",
    processor: "Processeur",
    runs: (place) => `Fonctionne ${place}`,
    addressAsks: (what) => `L’adresse de cette page le demande (${what}).`,
    addressOverrules: (what) =>
      `L’adresse de cette page le demande (${what}), ce qui l’emporte sur votre réglage « Exécution ».`,
    settingAsks: "Votre réglage « Exécution » le demande.",
    together: (reasons) => reasons.join(" ; "),
    youAsked: "Vous l’avez demandé ici.",
    startedAgain: (place) => `Le modèle a été redémarré ${place}`,
    nowRuns: (place) => `Le modèle fonctionne désormais ${place}`,
    modelRuns: (place) => `Le modèle fonctionne ${place}`,
    allHere: "La conversation est intacte.",
    fasterLeftOut: (variants) => `Une manière plus rapide (${variants.join(", ")}) est écartée.`,
    cardNotUsed: "La carte graphique n’est pas utilisée.",
    processorNotUsed: "Le processeur n’est pas utilisé.",
    tryAgain: "Réessayer",
    useAnyway: "L’utiliser quand même",
    oneThread:
      "Il n’a qu’un seul fil d’exécution, parce que ce site n’isole pas ses pages. Le " +
      "propriétaire du site pourrait l’accélérer en envoyant les en-têtes " +
      "Cross-Origin-Opener-Policy: same-origin et Cross-Origin-Embedder-Policy: require-corp.",
  },

  verdict: {
    noVariant: (variant) => `Ce modèle n’a pas de variante ${variant}`,
    notAs: (variant) => `Il ne peut pas fonctionner ici en ${variant}`,
    notThere: (place) => `Il ne peut pas fonctionner ici ${place}`,
    otherwise: "Il peut fonctionner ici d’une autre manière.",
    choose: "Choisir automatiquement",
    insecure: "Cette page demande une adresse sécurisée",
    insecureHint: "Ouvrez-la en https, ou à l’adresse localhost sur la machine qui la sert.",
    noWebGpu: "WebGPU n’est pas disponible ici",
    noWebGpuHint:
      "Prenez une version récente de Chrome, Edge, Firefox ou Safari, activez l’accélération " +
      "matérielle dans ses réglages et mettez à jour le pilote graphique.",
    unable: "Cet appareil ne peut pas faire fonctionner le modèle",
    unableHint:
      "Choisissez un modèle plus petit, ou ouvrez cette page sur un autre appareil ou dans un " +
      "autre navigateur.",
  },

  /** Notes that the engine adds to what is good to know. */
  metered: {
    title: "Cette connexion peut vous coûter de l’argent",
    line: (size) =>
      `Votre navigateur indique qu’il faut économiser les données, ou que le réseau est mobile. Il manque encore ${bytes(size)} au modèle.`,
    download: "Télécharger",
    later: "Pas maintenant",
  },

  remarks: {
    notKept: (needed, free) =>
      `La place manque pour conserver ce modèle : il lui faut encore ${bytes(needed)}${free === null ? "" : `, et ce site dispose de ${bytes(free)}`}. Il fonctionne quand même, mais le reste sera de nouveau téléchargé à la prochaine visite. Libérez de la place ou supprimez un modèle.`,
    notStored:
      "Le navigateur n’a pas gardé les fichiers du modèle ; ils seront de nouveau téléchargés à la prochaine visite.",
    damaged:
      "Une partie de ce que ce navigateur avait gardé du modèle était endommagée ; elle a été téléchargée à nouveau.",
    evicted: (lost) =>
      `${bytes(lost)} de ce modèle, gardés par le navigateur, avaient disparu et ont été téléchargés à nouveau. Les navigateurs effacent ce qu’ils gardent quand le disque est plein, sauf s’ils ont promis de ne pas le faire.`,
    mirror: (served, total, mirror) =>
      `${number(served)} fichiers sur ${number(total)} viennent du miroir ${mirror}.`,
    tunedRefused: (vendor) =>
      `Les noyaux optimisés pour ${vendor} ne conviennent pas ici ; les noyaux généraux les remplacent.`,
    recovered: (cause, moved, rung) =>
      `${cause} ; ${moved ? `la réponse a continué en ${rung}` : "la réponse a continué après un rechargement"}.`,
  },

  trouble: {
    retry: "Réessayer",
    reload: "Recharger le modèle",
    close: "Fermer",
    onProcessor: "Charger sur le processeur",
  },

  server: {
    offer: "Faire répondre un serveur",
    host: (host) => `Serveur : ${host}`,
    sign: (origin) => `Ce que vous envoyez part vers ${origin}.`,
    change: "Adresse et jeton",
    leave: "Ne plus envoyer",
    since: (origin, model) => `${model}, sur ${origin}, répond dans cette conversation.`,
    named: (model) => `${model} sur un serveur`,
  },

  privacy: {
    open: "Ce que cette page a demandé",
  },

  faults,

  reasons: {
    insecure:
      "la page a été ouverte en simple http, où les navigateurs n’offrent ni WebGPU ni stockage",
    "no-webgpu": "ce navigateur n’offre pas WebGPU, ou WebGPU est désactivé",
    "no-adapter":
      "WebGPU n’a trouvé aucune carte graphique utilisable : il n’y en a pas, ou elle est bloquée ou désactivée",
    "card-lacks": (feature) => `il manque à la carte graphique ${FEATURES[feature] ?? feature}`,
    "card-too-small": "la carte graphique est trop petite pour ce modèle",
    "not-isolated":
      "la page n’est pas isolée des autres origines, et WebAssembly n’a ici qu’un fil d’exécution",
    "wasm-lacks": (feature) =>
      `il manque au WebAssembly de ce navigateur ${FEATURES[feature] ?? feature}`,
    "wasm-memory": (needed, available, fits) =>
      `le modèle prend ${bytes(needed)} et WebAssembly a ${bytes(available)} : ` +
      (fits > 0 ? `un contexte d’au plus ${tokens(fits)} y tient` : "aucun contexte n’y tient"),
    "scarce-memory": (needed) =>
      `il prend environ ${bytes(needed)}, une grande part de ce que l’on sait de la mémoire de cet appareil : la mémoire peut manquer`,
    crashed: "le dernier chargement de cette manière s’est terminé par un plantage",
    emulated: "la carte graphique est émulée par logiciel : cela fonctionne, mais lentement",
    "emulated-passed-over":
      "la carte graphique est émulée par logiciel : elle est laissée de côté, car WebAssembly est plus rapide",
    fault: {
      "wrong-answer": "un test dont les résultats sont connus a donné de mauvaises réponses",
      "device-lost": "la carte graphique s’est arrêtée au milieu de son travail",
      "out-of-memory": "l’appareil n’avait plus de mémoire",
      "device-too-small": "il faut plus que ce que cet appareil permet d’un seul tenant",
      "gpu-validation": "le pilote graphique a refusé une commande",
      "kernel-fault": "le programme du modèle s’est arrêté sur une erreur",
    },
    failed: "l’essai a échoué",
  },
};

/** Texts of panels that arrive when they are asked for. */
export const panels: PanelWords = {
  server: {
    title: "Faire répondre un serveur dans cette conversation",
    lead:
      "En règle générale, le modèle tourne dans cet onglet et rien de ce que vous tapez n’en sort. " +
      "Vous pouvez faire répondre un serveur à sa place, pour cette conversation seulement.",
    address: "Adresse du serveur",
    allowed: (origins) => `Ce site peut contacter ${list(origins)}, et rien d’autre.`,
    token: "Jeton d’accès",
    tokenHelp:
      "À laisser vide si le serveur n’en demande pas. Il n’est envoyé qu’à ce serveur et ne figure dans aucune exportation.",
    keepToken: "Le garder dans cet onglet quand la page est rechargée",
    connect: "Afficher ses modèles",
    connecting: "Interrogation du serveur…",
    model: "Modèle",
    sends: (origin) =>
      `Dès lors, à chaque message envoyé, toute cette conversation part vers ${origin} : ce que vous ` +
      "avez écrit auparavant, les réponses et la consigne générale. Ce qu’il en advient là-bas dépend de " +
      "qui exploite ce serveur.",
    thisDevice: "D’après son adresse, ce serveur tourne sur cet appareil.",
    onlyHere: "Les nouvelles conversations n’y sont pas envoyées.",
    use: "Y envoyer cette conversation",
    faults: {
      "server-address": {
        title: "Ce n’est pas l’adresse d’un serveur",
        text: ({ address }) => `« ${address} » ne peut pas être interrogé.`,
        hint: () => "Écrivez-la comme http://localhost:11434.",
      },
      "server-not-allowed": {
        title: "Ce site ne peut pas contacter ce serveur",
        text: ({ address, allowed }) => `${address} n’est pas parmi ${list(allowed ?? [])}.`,
        hint: () => "Le propriétaire du site peut l’autoriser avec --allow-server.",
      },
      "server-mixed": {
        title: "Le navigateur l’interdit",
        text: ({ address }) =>
          `Cette page a été chargée en https ; ${address} serait interrogé en simple http.`,
        hint: () =>
          "Activez https sur le serveur, ou exécutez-le sur cet appareil sous le nom localhost.",
      },
      "server-unreachable": {
        title: "Le serveur n’a donné aucune réponse lisible par cette page",
        text: ({ address, permission }) =>
          permission === "denied"
            ? `Il a été demandé au navigateur de ne pas laisser ce site atteindre des serveurs sur cet appareil ou dans son réseau, comme ${address}.`
            : `Soit rien ne répond à ${address}, soit le serveur n’admet pas ce site. Les navigateurs ne disent pas lequel des deux cas se présente.`,
        hint: ({ permission }) =>
          permission === "denied"
            ? "Autorisez-le dans les réglages du navigateur pour ce site, puis réessayez."
            : `Vérifiez que le serveur tourne. Faites-lui ensuite admettre ce site (CORS) : son origine est ${location.origin}.`,
      },
      "server-token": {
        title: "Le serveur demande un jeton d’accès",
        text: ({ address, said }) => `${address} a refusé la requête${said ? ` : ${said}` : ""}.`,
        hint: () => "Entrez le jeton avec lequel le serveur a été démarré.",
      },
      "server-missing": {
        title: "Le serveur n’a pas trouvé ce qui était demandé",
        text: ({ address, said }) => `${address} n’existe pas${said ? ` : ${said}` : ""}.`,
        hint: () => "Vérifiez l’adresse et choisissez l’un des modèles du serveur.",
      },
      "server-refused": {
        title: "Le serveur signale une erreur",
        text: ({ address, status, said }) =>
          [address, status && String(status), said].filter(Boolean).join(" : "),
        hint: () => "Le journal du serveur peut en dire plus.",
      },
      "server-strange": {
        title: "La réponse du serveur est illisible",
        text: ({ address }) => `${address} a répondu autre chose que ce qui était demandé.`,
        hint: () => "Vérifiez que l’adresse est celle d’un serveur compatible avec OpenAI.",
      },
      "server-broke-off": {
        title: "La réponse s’est interrompue",
        text: ({ address }) => `${address} y a mis fin avant qu’elle ne soit complète.`,
        hint: () => "Posez de nouveau la question ; le journal du serveur peut en dire plus.",
      },
    },
  },

  privacy: {
    title: "Ce que cette page a demandé",
    requests: (count) => counted(count, { one: "requête", other: "requêtes" }),
    allHere: (requests) =>
      `${requests}, toutes vers ce site ; rien de ce que vous avez tapé n’a été envoyé.`,
    listed: (requests, origins) =>
      `${requests} : vers ce site et vers ${list(origins)}, où il garde ses modèles. Rien de ce que ` +
      "vous avez tapé n’a été envoyé.",
    toServer: (requests, origin) =>
      `${requests}. Les conversations auxquelles ${origin} a répondu y ont été envoyées, et nulle part ailleurs.`,
    unlisted: (origins) =>
      `Il y a eu des requêtes vers ${list(origins)}, que ce site n’annonce pas. Signalez-le à son propriétaire.`,
    since: "Depuis le chargement de la page ; le compte continue tant que ce panneau est ouvert.",
    network: (size) => `${bytes(size)} par le réseau`,
    kept: "de ce navigateur",
    untold: "taille non communiquée",
    sent: (size) => `${bytes(size)} envoyés`,
    why: {
      page: "Page",
      engine: "Moteur",
      model: "Fichiers du modèle",
      offline: "Service worker",
      server: "Serveur choisi par vous",
    },
    by: {
      page: "la page",
      worker: "le worker du modèle",
      thread: "un fil d’exécution",
      "service-worker": "le service worker",
    },
    failed: "échec",
    byWorker: "réponse du service worker",
    origins: "Ce qu’elle peut contacter",
    thisSite: "ce site",
    forModels: "modèles",
    forServer: "serveur, seulement si vous le choisissez",
    policy: "Le navigateur fait respecter cette liste, par la Content Security Policy du site.",
    refused: (addresses) => `Il a refusé ${list(addresses)}.`,
    noWorker: "Il n’y a pas de service worker.",
    silentWorker: "Le service worker n’a pas répondu.",
    blind: "Ce que cette liste ne voit pas",
    blindItems: [
      "Les requêtes que le navigateur fait de lui-même : pour le script du service worker, pour remplir des formulaires, pour son propre compte.",
      "Celles d’autres onglets et des extensions, qui peuvent voir et envoyer ce que vous tapez.",
      "Le contenu d’une requête : elle connaît adresses et tailles. Ce que vous tapez n’est envoyé qu’au serveur que vous avez choisi.",
      "Les tailles que d’autres origines gardent pour elles, et ce qu’une partie de la page demandait au moment où elle a été arrêtée.",
      "Ce que note le serveur du site : votre adresse, et quand vous avez demandé quel fichier.",
    ],
    check:
      "Pour vérifier sans passer par cette page, ouvrez la vue réseau des outils de développement du navigateur et rechargez.",
    copy: "Copier la liste",
    copied: "Copié dans votre presse-papiers ; rien n’a été envoyé.",
    notCopied: "Le navigateur a refusé son presse-papiers : sélectionnez la liste et copiez-la.",
  },

  library: {
    looking: "Examen de cet appareil…",
    measuring: "Mesure de la vitesse de cet appareil…",
    fit: {
      well: "Fonctionne bien ici",
      tight: "Risque de peiner ici",
      unknown: "Impossible à dire d’avance",
      no: "Ne fonctionne pas ici",
    },
    suggested: {
      only: "Conseillé : le seul qui fonctionne ici",
      "best-fit": "Conseillé : celui qui convient le mieux à cet appareil",
      largest: "Conseillé : le plus grand de ceux qui conviennent le mieux à cet appareil",
    },
    because: {
      memoryUnknown: (needed) =>
        `il occupe ${bytes(needed)} de mémoire, et les navigateurs ne disent pas si cet appareil en dispose`,
      ranOut: "la dernière fois, la mémoire de cet appareil n’a pas suffi",
      ranOutAt: (context) =>
        `la dernière fois, la mémoire de cet appareil n’a pas suffi, avec un contexte de ${tokens(context)}`,
      disk: (missing, free) =>
        `il ne peut pas être gardé : il manque ${bytes(missing)} et le navigateur a de la place pour ${bytes(free)} ; il serait téléchargé à chaque visite`,
      slow: "les réponses viendront plus lentement qu’on ne lit",
      unread: (title) => `sa composition n’a pas pu être lue (${title})`,
      limit: (name, needed, offered) =>
        offered === undefined
          ? `le navigateur ne connaît pas la limite ${name}`
          : `il lui faut ${name} de ${number(needed)}, et la carte graphique offre ${number(offered)}`,
    },
    size: "Taille",
    toFetch: (total, missing) => {
      if (missing === 0) return `${bytes(total)}, tout est dans ce navigateur`;
      const rest =
        missing < total
          ? `, encore ${bytes(missing)} à télécharger`
          : " à télécharger une seule fois";
      return `${bytes(total)}${rest}`;
    },
    speed: "Vitesse",
    estimated: (rate) => `environ ${speed(rate)} (estimation)`,
    measured: (rate) => `${speed(rate)} (mesure faite ici)`,
    memory: "Mémoire",
    licence: "Licence",
    terms: "Conditions",
    languages: "Langues",
    data: "Données d’entraînement",
    base: "Dérivé de",
    authors: "Auteurs",
    quantization: "Quantification",
    coded: (bits) => `codes de ${bits} bits`,
    plain: (bits) => `nombres de ${bits} bits`,
    share: (name, share) => `${name} (${number(share * 100)} %)`,
    original: (types) => `dans le point de contrôle ${types.join(", ")}`,
    parameters: "Paramètres",
    count: (count) => number(count),
    context: "Contexte",
    tokens: (usual, most) => `${number(usual)} sur ${tokens(most)} au plus`,
    source: "Source",
    unknown: "inconnue",
    unstated: "non précisé",
    wrong: "Ses réponses peuvent être fausses. Vérifiez ce qui compte.",
    embeds: "Il transforme des textes en vecteurs et ne converse pas.",
    choose: "Converser avec lui",
    chosen: "Choisi",
    download: "Télécharger et converser",
    of: (action, model) => `${action} : ${model}`,
    others: "Aussi gardés dans ce navigateur",
    othersWhy:
      "Ce site ne les propose pas, ou plus : d’anciennes versions de ses modèles, et ceux d’autres sites à cette adresse.",
    remove: "Supprimer",
    removeAsk: (model, kept) =>
      `Supprimer ${model} (${bytes(kept)}) de ce navigateur ? Vos conversations restent.`,
    removeYes: "Le supprimer",
    removeNo: "Le garder",
    removed: (model, freed) => `${model} a été supprimé : ${bytes(freed)} sont de nouveau libres.`,
    space: (used, free) =>
      free === null
        ? `Les modèles prennent ${bytes(used)} dans ce navigateur.`
        : `Les modèles prennent ${bytes(used)} dans ce navigateur ; il y a de la place pour ${bytes(free)} de plus.`,
    persist: "Garder les modèles durablement",
    persistWhy:
      "Quand la place manque, le navigateur peut effacer ce que ce site garde, et les modèles seraient téléchargés de nouveau. Vous pouvez lui demander de ne pas le faire.",
    persisted: "Le navigateur garde les modèles jusqu’à ce que vous les supprimiez.",
    persistRefused:
      "Le navigateur n’a pas accepté. Il le fera peut-être quand vous utiliserez cette page plus souvent.",
  },

  history: {
    anew: "Nouvelle conversation",
    search: "Chercher dans les titres et les textes",
    none: "Aucune conversation pour l’instant.",
    notKept: (why) =>
      `Il n’y a pas de liste : les conversations disparaissent avec leur onglet. ${why}`,
    untitled: "Sans titre",
    more: (title) => `Autres actions pour ${title}`,
    rename: "Renommer",
    newTitle: "Nouveau titre",
    exportOne: (title, form) => `${form} : exporter ${title}`,
    remove: "Supprimer",
    doTo: (action, title) => `${action} : ${title}`,
    removed: (title) => `Supprimée : ${title}.`,
    undo: "Annuler",
    putBack: (title) => `Rétablie : ${title}.`,
    tools: "Exporter, importer, supprimer",
    exportAll: (form) => `Tout exporter (${form})`,
    importFile: "Importer…",
    removeAll: "Tout supprimer…",
    confirm: (count) => `Supprimer ${conversations(count)} de ce navigateur ? C’est irréversible.`,
    confirmRemove: "Tout supprimer",
    keep: "Garder",
    allRemoved: "Toutes les conversations ont été supprimées.",
    searching: "Recherche…",
    found: (count) =>
      count === 0
        ? "Aucun résultat."
        : counted(count, { one: "conversation trouvée.", other: "conversations trouvées." }),
    imported: (count) =>
      count === 0
        ? "Il n’y avait rien de nouveau."
        : counted(count, { one: "conversation importée.", other: "conversations importées." }),
    known: (count) =>
      counted(count, {
        one: "conversation était déjà là.",
        other: "conversations étaient déjà là.",
      }),
    today: "Aujourd’hui",
    yesterday: "Hier",
    longAgo: "Il y a quelque temps",
  },

  file: {
    notJson: "le fichier n’est pas du JSON",
    notExport: "le fichier est du JSON, mais pas un export de conversations",
    newer: (version) =>
      `le fichier est de la version ${version}, plus récente que celles que cette page connaît`,
    wrong: (where, found, wanted) => `${where} est ${found} ; il faut ${wanted}`,
    missing: "absent",
    twice: (where, id) => `${where} est ${id}, comme dans une autre conversation de ce fichier`,
    tooLarge: (size) => `le fichier fait ${bytes(size)}, plus que la page ne peut lire`,
    unread: "le fichier est illisible",
    hint: "Rien n’a été importé. Choisissez un fichier que cette page a exporté, inchangé.",
    newerHint:
      "Rien n’a été importé. Rechargez la page pour en avoir la dernière version, et réessayez.",
    object: "un objet",
    list: "une liste",
    string: "un texte",
    boolean: "true ou false",
    id: "1 à 64 lettres, chiffres ou traits d’union",
    date: "une date comme 2026-11-22T08:15:00.000Z",
    either: (...values) => `${values.slice(0, -1).join(", ")} ou ${values.at(-1)}`,
    stats: "cinq nombres qui ne sont pas négatifs",
  },
};
