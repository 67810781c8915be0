/* Coverage of C code for libFuzzer. gcc reports each edge by a call, which libFuzzer itself no longer
 * listens to (the build gives it this name); counters in this section it reads beside its own. */
#include <stddef.h>
#include <stdint.h>

#define COUNTERS 8192

__attribute__((section("__libfuzzer_extra_counters"))) static uint8_t counters[COUNTERS];

void tl_coverage_trace_pc(void)
{
    uintptr_t at = (uintptr_t)__builtin_return_address(0);
    uint8_t *counter = &counters[(at ^ (at >> 13)) % COUNTERS];
    if (*counter < UINT8_MAX)
        (*counter)++;
}
