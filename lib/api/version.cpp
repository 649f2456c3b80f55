#include "rstream/version.h"

int rstream_version_number(void) { return RSTREAM_VERSION_NUMBER; }
const char *rstream_version_text(void) { return RSTREAM_VERSION_TEXT; }
