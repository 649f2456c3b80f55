#pragma once

namespace rstream {

// Texts for codes of libuv, which every implementation of the net reports in. Static;
// nullptr for a number that is none of them.
const char *net_error_text(int code);
const char *net_error_name(int code);

// "Not now, but maybe later" for codes the layers above have to tell apart.
bool net_error_is_no_memory(int code);
int net_error_no_memory();

// Whether it tells what a peer did or showed, and not just that there is none.
bool net_error_is_about_peer(int code);

// The peer has ended the connection in order; it is lost.
int net_error_end();
int net_error_lost();

}  // namespace rstream
