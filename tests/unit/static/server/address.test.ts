import { afterEach, expect, test, vi } from "vitest";
import {
  addressSpace,
  baseAddress,
  isLoopback,
  isMixed,
  localPermission,
} from "../../../../static/src/server/address";

const ALLOWED = ["http://localhost:11434", "https://models.example"];

test.each([
  ["http://localhost:11434", "http://localhost:11434/v1"],
  [" http://LOCALHOST:11434/ ", "http://localhost:11434/v1"],
  ["http://localhost:11434/v1/", "http://localhost:11434/v1"],
  ["https://models.example:443/v1", "https://models.example/v1"],
  ["https://models.example/openai/v1", "https://models.example/openai/v1"],
])("%s is asked at %s", (typed, base) => {
  expect(baseAddress(typed, ALLOWED)).toBe(base);
});

test.each([
  "http://localhost:8080",
  "http://127.0.0.1:11434",
  "https://localhost:11434",
  "https://models.example.evil.test",
])("%s is not on the list", (typed) => {
  expect(() => baseAddress(typed, ALLOWED)).toThrow(
    expect.objectContaining({
      code: "server-not-allowed",
      values: { address: new URL(typed).origin, allowed: ALLOWED },
    }),
  );
});

test.each([
  "",
  "localhost:11434",
  "ftp://localhost:11434",
  "javascript:alert(1)",
  "http://me:secret@localhost:11434",
  "http://localhost:11434/v1?key=secret",
  "http://localhost:11434/#v1",
  "http://[::1]:11434",
])("%s is no address", (typed) => {
  expect(() => baseAddress(typed, ALLOWED)).toThrow(
    expect.objectContaining({ code: "server-address" }),
  );
});

test("the same device by any of its names", () => {
  const hosts = ["localhost", "ollama.localhost", "127.0.0.1", "127.8.9.10", "[::1]"];
  expect(hosts.filter(isLoopback)).toEqual(hosts);
  const others = ["localhost.example", "192.168.0.4", "128.0.0.1", "[::2]", "127.0.0.1.example"];
  expect(others.filter(isLoopback)).toEqual([]);
});

test("plain http from an https page is mixed content, but for the same device", () => {
  expect(isMixed("https://a.example/", "http://192.168.0.4:8080/v1")).toBe(true);
  expect(isMixed("https://a.example/", "http://localhost:8080/v1")).toBe(false);
  expect(isMixed("https://a.example/", "https://192.168.0.4:8080/v1")).toBe(false);
  expect(isMixed("http://a.example/", "http://192.168.0.4:8080/v1")).toBe(false);
  expect(addressSpace("https://a.example/", "http://box:8080")).toEqual({
    targetAddressSpace: "local",
  });
  expect(addressSpace("https://a.example/", "http://localhost:8080")).toEqual({});
});

afterEach(() => vi.unstubAllGlobals());

test("the permission goes by several names, or by none", async () => {
  const asked: string[] = [];
  const knows = (known: string, state: string) => ({
    permissions: {
      query: async ({ name }: { name: string }) => {
        asked.push(name);
        if (name !== known) throw new TypeError(name);
        return { state };
      },
    },
  });
  vi.stubGlobal("navigator", knows("local-network-access", "denied"));
  expect(await localPermission("http://localhost:1/v1")).toBe("denied");
  expect(asked).toEqual(["loopback-network", "local-network-access"]);
  vi.stubGlobal("navigator", knows("local-network", "prompt"));
  expect(await localPermission("http://192.168.0.4:1/v1")).toBe("prompt");
  vi.stubGlobal("navigator", {});
  expect(await localPermission("http://localhost:1/v1")).toBeUndefined();
});
