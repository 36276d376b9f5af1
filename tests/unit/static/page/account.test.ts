import { expect, test } from "vitest";
import type { RequestRecord } from "../../../../static/src/engine/traffic";
import { groups, type SiteFacts } from "../../../../static/src/page/privacy/account";

const HOME = "https://here.example/some/where/";
const SITE: SiteFacts = {
  origin: "https://here.example",
  home: HOME,
  models: [`${HOME}models/mini/`],
  servers: [],
};

function request(path: string, initiator = "fetch"): RequestRecord {
  const address = HOME + path;
  return {
    address,
    by: "page",
    at: 0,
    initiator,
    bytes: 700,
    size: 400,
    status: 200,
    relayed: true,
  };
}

test("what the service worker left to the browser came over the network", () => {
  const requests = [
    request("models/mini/weights/0.bin"),
    request("assets/0123/page.css", "link"),
    request("", "navigation"),
    request("app.json"),
  ];
  const found = groups(requests, [], SITE).map(({ why, bytes }) => [why, bytes]);
  expect(found).toEqual([
    ["model", 700],
    ["page", 700], // app.json: the others were answered
  ]);
});
