#pragma once

#include "perf/options.h"

namespace perf {

// Does what the options ask for, reports, and returns the exit status.
[[nodiscard]] int run(const options &o);

}  // namespace perf
