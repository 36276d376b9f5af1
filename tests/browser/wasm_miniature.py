"""The miniature with its kernels in C: variants `wasm` and `wasm-threads` below `f32`.

The kernel `sum` has one item for each word of the vocabulary, so that threads really share it, and
keeps what it adds up on its stack and in its workspace: threads that got the same ones fail.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.browser.miniature import MODEL, VOCABULARY, Miniature

SINGLE, THREADED = "wasm", "wasm-threads"
FEATURES = {SINGLE: ["simd128"], THREADED: ["simd128", "threads"]}
KERNELS = ("append", "sum", "sample")
WORKSPACE = 16  # bytes
FAULT_AT = 25  # the position at which an injected fault happens

SOURCE = """
// A wasm global (address space 1) is an instance's own: every thread has its workspace.
static __attribute__((address_space(1))) unsigned workspace;
void set_workspace(unsigned address) { workspace = address; }

int append(const int *control, const int *tokens, int *kv, int begin, int end) {
  for (volatile int i = 0; i < BUSY; i++);
  for (int row = begin; row < end; row++)
    if (row < control[1] && control[3] == 0) kv[control[0] + row] = tokens[control[0] + row];
  return 0;
}

int sum(const int *control, const int *kv, const int *stride, float *logits, int begin, int end) {
  // In the thread that comes to the last item, whichever that is.
  if (control[0] == FAULT_AT && end == VOCABULARY) { FAULT; }
  volatile int on_stack = stride[0] + stride[1] + stride[2] + stride[3];
  volatile int *in_workspace = (volatile int *)workspace;
  *in_workspace = on_stack;
  for (int i = 0; i <= control[0]; i++) {
    on_stack += kv[i];
    *in_workspace += kv[i];
  }
  if (on_stack != *in_workspace) return 1;
  for (int item = begin; item < end; item++) logits[item] = item == on_stack % VOCABULARY;
  return 0;
}

int sample(int *control, int *tokens, const float *logits, int begin, int end) {
  control[48] = 1 - control[3];
  if (control[3] == 1) return 0;
  int best = 0;
  for (int i = 0; i < VOCABULARY; i++) if (logits[i] > logits[best]) best = i;
  tokens[control[0] + 1] = best;
  control[49] = best;
  for (int i = 0; i < control[6]; i++) if (control[7 + i] == best) control[3] = 1;
  control[0] += 1;
  return 0;
}
"""


@dataclass
class WasmMiniature(Miniature):
    fault: str = ""  # C that the kernel `sum` runs at position FAULT_AT
    busy: int = 0  # turns of an empty loop in each call of the kernel `append`
    exports: tuple[str, ...] = ("__stack_pointer", "set_workspace")  # beside the kernels
    names: list[str] = field(default_factory=lambda: [THREADED, SINGLE])
    understated: bool = False  # the manifest hides what a long context takes

    def files(self) -> dict[str, bytes]:
        files = super().files()
        manifest = json.loads(files[f"{MODEL}/manifest.json"])
        plan = json.loads(files[f"{MODEL}/plans/f32.json"])
        for name in self.names:
            module = compile_kernels(self.fault, self.busy, self.exports, threads=name == THREADED)
            parts = {
                f"plans/{name}.json": json.dumps(_plan(plan, name, len(module))).encode(),
                f"kernels/{name}.wasm": module,
            }
            for path, content in parts.items():
                files[f"{MODEL}/{path}"] = content
                sha256 = hashlib.sha256(content).hexdigest()
                manifest["files"][path] = {"bytes": len(content), "sha256": sha256}
            manifest["variants"][name] = self._variant(manifest["variants"]["f32"], name)
        files[f"{MODEL}/manifest.json"] = json.dumps(manifest).encode()
        return files

    def _variant(self, f32: dict[str, Any], name: str) -> dict[str, Any]:
        return {
            **f32,
            "backend": "wasm",
            "plan": f"plans/{name}.json",
            "kernels": f"kernels/{name}.wasm",
            "requires": {"features": FEATURES[name], "limits": {}},
            "memory": {**f32["memory"], **({"state_per_token": 0} if self.understated else {})},
            "selftest": [
                {**test, "grid": _grid(test["kernel"], test["grid"])} for test in f32["selftest"]
            ],
        }


def _plan(f32: dict[str, Any], name: str, size: int) -> dict[str, Any]:
    span = {"offset": 0, "bytes": size, "workgroup_bytes": WORKSPACE}
    functions = {
        key: {
            **function,
            "steps": [
                {**step, "grid": _grid(step["kernel"], step["grid"])} for step in function["steps"]
            ],
        }
        for key, function in f32["functions"].items()
    }
    kernels = [{**kernel, **span} for kernel in f32["kernels"]]
    return {**f32, "variant": name, "kernels": kernels, "functions": functions}


def _grid(kernel: int, workgroups: list[int]) -> list[int]:
    return [VOCABULARY, 1, 1] if KERNELS[kernel] == "sum" else workgroups


@cache
def compile_kernels(fault: str, busy: int, exports: tuple[str, ...], *, threads: bool) -> bytes:
    features = "simd128+bulk_memory+mutable_globals" + ("+atomics" if threads else "")
    options = ["--no-entry", "--import-memory", "--strip-all"]
    options += [f"--export={name}" for name in (*KERNELS, *exports)]
    if threads:
        options += ["--shared-memory", f"--max-memory={65535 << 16}"]
    with tempfile.TemporaryDirectory() as folder:
        source, module = Path(folder, "kernels.c"), Path(folder, "kernels.wasm")
        source.write_text(SOURCE)
        command = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-freestanding"]
        command += ["-nostdlib", "-O2", f"-mcpu=generic+{features}", f"-DFAULT={fault}"]
        command += [f"-DVOCABULARY={VOCABULARY}", f"-DFAULT_AT={FAULT_AT}"]
        command += [f"-DBUSY={busy}"]
        command += [str(source), "-o", str(module), *(f"-Wl,{option}" for option in options)]
        subprocess.run(command, check=True, capture_output=True, text=True)
        return module.read_bytes()
