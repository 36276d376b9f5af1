import { expect, test } from "vitest";
import type { ThreadStart } from "../../../../static/src/backends/wasm-thread";
import { RemoteCrew } from "../../../../static/src/engine/crew";
import type { FromWorker } from "../../../../static/src/engine/protocol";

const START = { thread: 1 } as ThreadStart;

function crew() {
  const posted: { message: FromWorker; transfer: Transferable[] | undefined }[] = [];
  const remote = new RemoteCrew((message, transfer) => posted.push({ message, transfer }));
  return { remote, posted };
}

test("the page is asked for each helper, and handed its port", () => {
  const { remote, posted } = crew();
  const { port1, port2 } = new MessageChannel();
  remote.hire(START, port1);
  remote.hire(START, port2).dismiss();
  expect(posted).toEqual([
    { message: { type: "hire", id: 1, start: START, port: port1 }, transfer: [port1] },
    { message: { type: "hire", id: 2, start: START, port: port2 }, transfer: [port2] },
    { message: { type: "dismiss", id: 2 }, transfer: undefined },
  ]);
  port1.close();
  port2.close();
});

test("what the page says of one helper concerns that one", async () => {
  const { remote } = crew();
  const { port1, port2 } = new MessageChannel();
  const first = remote.hire(START, port1);
  const second = remote.hire(START, port2);
  remote.unfit(2, "its script did not load");
  remote.unfit(7, "nobody's");
  expect(await second.failed).toBe("its script did not load");
  const silent = Symbol("silent");
  expect(await Promise.race([first.failed, Promise.resolve(silent)])).toBe(silent);
  port1.close();
  port2.close();
});
