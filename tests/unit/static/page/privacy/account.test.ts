import { expect, test } from "vitest";
import type { RequestRecord } from "../../../../../static/src/engine/traffic";
import {
  asText,
  conclude,
  detail,
  groups,
  type SiteFacts,
  why,
} from "../../../../../static/src/page/privacy/account";

const HOME = "https://kiln.example";
const MODELS = "https://weights.example/models/";
const SERVER = "http://localhost:11434";
const SITE: SiteFacts = {
  origin: HOME,
  home: `${HOME}/`,
  models: [MODELS, `${HOME}/models/`],
  servers: [SERVER],
};

const request = (address: string, more: Partial<RequestRecord> = {}): RequestRecord => ({
  address,
  by: "page",
  at: 0,
  initiator: "fetch",
  bytes: 0,
  size: 0,
  status: 200,
  relayed: false,
  ...more,
});
const own = request(`${HOME}/`);
const weights = request(`${MODELS}mini/weights/1.bin`, { by: "worker" });
const chat = request(`${SERVER}/v1/chat/completions`, { bytes: null });

test.each<[string, Partial<RequestRecord>, string]>([
  [`${HOME}/`, {}, "page"],
  [`${HOME}/assets/1/page.js`, {}, "page"],
  [`${HOME}/assets/1/engine.js`, {}, "engine"],
  [`${HOME}/assets/1/worker.js`, {}, "engine"],
  [`${HOME}/assets/1/pace.js`, {}, "engine"],
  [`${HOME}/assets/1/chunk.js`, { by: "thread" }, "engine"],
  [`${HOME}/models/mini/manifest.json`, {}, "model"],
  [`${MODELS}mini/weights/1.bin`, { by: "worker" }, "model"],
  ["https://mirror.example/1.bin", { by: "worker" }, "model"],
  [`${HOME}/app.json`, { by: "service-worker" }, "offline"],
  [`${HOME}/sw.js?app=1`, {}, "offline"],
  [`${SERVER}/v1/models`, {}, "server"],
  ["http://localhost:1/v1/models", {}, "page"],
])("%s by %j is for the %s", (address, more, reason) => {
  expect(why(request(address, more), SITE)).toBe(reason);
});

test("what may leave the tab comes first, and what a service worker handed on counts once", () => {
  const requests = [
    request(`${HOME}/`, { bytes: 100 }),
    request(`${HOME}/assets/1/page.js`, { bytes: 900, relayed: true }),
    request(`${HOME}/assets/1/page.js`, { bytes: 500, by: "service-worker" }),
    chat,
  ];
  const found = groups(requests, [{ address: chat.address, bytes: 321 }], SITE);
  expect(found.map(({ why, bytes, sent }) => [why, bytes, sent])).toEqual([
    ["server", 0, 321],
    ["page", 100, 0],
    ["offline", 500, 0],
  ]);
  expect(found.flatMap((group) => group.requests)).toHaveLength(4);
});

test("all to this site", () => {
  expect(conclude([own], [], SITE)).toEqual({
    sentence: "1 request, all to this site; nothing you typed was sent.",
    alert: false,
  });
});

test("models elsewhere are named", () => {
  const { sentence, alert } = conclude([own, weights], [], SITE);
  expect(sentence).toContain("to this site and to https://weights.example");
  expect(alert).toBe(false);
});

test("a server that was only asked for its models was sent nothing", () => {
  const { sentence } = conclude([own, request(`${SERVER}/v1/models`)], [], SITE);
  expect(sentence).toContain("Nothing you typed was sent.");
});

test("a server that was sent something is named", () => {
  const { sentence, alert } = conclude([own, chat], [{ address: chat.address, bytes: 9 }], SITE);
  expect(sentence).toContain(`answered by ${SERVER} were sent there, and nowhere else.`);
  expect(alert).toBe(false);
});

test.each(["https://evil.example/x", "http://localhost:11435/v1", "http://kiln.example/"])(
  "%s is an alert, whatever else there was",
  (address) => {
    const found = conclude([own, chat, request(address)], [{ address, bytes: 9 }], SITE);
    expect(found.alert).toBe(true);
    expect(found.sentence).toContain(new URL(address).origin);
  },
);

test.each<[Partial<RequestRecord>, string]>([
  [{ bytes: 1500, by: "worker" }, "the model's worker · 1.5 kB over the network"],
  [{ bytes: 0 }, "the page · from this browser"],
  [{ bytes: null, by: "thread" }, "a thread · size not told"],
  [{ relayed: true, bytes: 1500 }, "the page · answered by the service worker"],
  [{ status: 404, bytes: 0 }, "the page · from this browser · failed (404)"],
])("%j reads %s", (more, text) => {
  expect(detail(request(`${HOME}/engine.js`, more), SITE)).toBe(text);
});

test("the copy has a line for each request, and what was sent", () => {
  const rows = [request(`${HOME}/`, { bytes: 7, at: 1000 }), { ...chat, at: 2000 }];
  const text = asText(rows, [{ address: chat.address, bytes: 321 }], SITE);
  const [sentence, , head, ...lines] = text.split("\n");
  expect(sentence).toContain(SERVER);
  expect(head?.split("\t")).toEqual(["time", "by", "why", "status", "bytes", "address"]);
  expect(lines).toEqual([
    `1970-01-01T00:00:01.000Z\tpage\tpage\t200\t7\t${HOME}/`,
    `1970-01-01T00:00:02.000Z\tpage\tserver\t200\tunknown\t${chat.address}`,
    `sent\t321\t${chat.address}`,
    "",
  ]);
});
