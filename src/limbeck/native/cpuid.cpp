// What an x86 CPU says of itself. For Windows, which names few of its instruction sets; Python reads the bits.
//
// Source: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, CPUID and XGETBV.
#include <cpuid.h>
#include <cstdint>

#ifdef _WIN32
#define LIMBECK_SEEN __declspec(dllexport)
#else
#define LIMBECK_SEEN __attribute__((visibility("default")))
#endif

extern "C" {

// Registers A, B, C, D into `four`; zeros where the CPU knows no such leaf.
LIMBECK_SEEN void limbeck_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t* four) {
  four[0] = four[1] = four[2] = four[3] = 0;
  __get_cpuid_count(leaf, subleaf, four, four + 1, four + 2, four + 3);
}

// The low half of XCR0. Only where CPUID says that the system saves registers (OSXSAVE).
LIMBECK_SEEN uint32_t limbeck_xgetbv() {
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}
}
