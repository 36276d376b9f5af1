/** Before each file of tests: modules are loaded anew, and globals are the real ones. */

import { vi } from "vitest";

vi.resetModules();
vi.unstubAllGlobals();
