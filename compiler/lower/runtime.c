// What TVM's generated code asks of a C runtime, where wasm32 has none.

typedef unsigned int word;

// Workspaces above a kilobyte are stacked up from the address that set_workspace gave. A wasm
// global (address space 1) belongs to one instance, so every thread has its own.
static __attribute__((address_space(1))) word top;

void set_workspace(word address) { top = address; }

static void *allocate(int device, int id, unsigned long long bytes, int code, int bits) {
  word start = top;
  top = start + (((word)bytes + 15) & ~15u);
  return (void *)start;
}

static int release(int device, int id, void *start) {
  top = (word)start;
  return 0;
}

void *(*__TVMBackendAllocWorkspace)(int, int, unsigned long long, int, int) = allocate;
int (*__TVMBackendFreeWorkspace)(int, int, void *) = release;

// x^y for x > 0; about 1e-6 relative, times |y log2 x|.
float powf(float x, float y) { return __builtin_exp2f(y * __builtin_log2f(x)); }

// Abramowitz and Stegun 7.1.26; absolute error below 1.5e-7.
float erff(float x) {
  float z = __builtin_fabsf(x), t = 1 / (1 + 0.3275911f * z);
  float series = ((((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) * t +
                  0.254829592f) * t;
  return __builtin_copysignf(1 - series * __builtin_expf(-z * z), x);
}
