// One tab of Firefox, driven by lines of JSON: {method, args} comes in, {value} or {error} goes
// out, in turn. `node firefox.mjs <program> <seconds to wait>`; ends with its standard input.
import { createInterface } from "node:readline";
import puppeteer from "puppeteer-core";

const [program, patience] = process.argv.slice(2);
const browser = await puppeteer.launch({
  browser: "firefox",
  executablePath: program,
  protocol: "webDriverBiDi",
  protocolTimeout: 1000 * Number(patience),
});
const page = await browser.newPage();
const problems = [];
page.on("pageerror", (error) => problems.push(String(error)));
page.on("console", (message) => {
  if (message.type() === "error") problems.push(message.text());
});

const methods = {
  version: () => browser.version(),
  open: (address) => page.goto(address).then(() => null),
  reload: () => page.reload().then(() => null),
  // A string is run by the driver itself: the page's policy forbids `eval` and Function.
  run: (body, argument) =>
    page.evaluate(`(async (arg) => { ${body} })(${JSON.stringify(argument ?? null)})`),
  click: (selector) => page.locator(selector).click(),
  fill: (selector, text) => page.locator(selector).fill(text),
  problems: () => problems,
};

for await (const line of createInterface({ input: process.stdin })) {
  const { method, args } = JSON.parse(line);
  let answer;
  try {
    answer = { value: (await methods[method](...args)) ?? null };
  } catch (error) {
    answer = { error: `${error.name}: ${error.message}` };
  }
  console.log(JSON.stringify(answer));
}
await browser.close();
