// Decoders of wire/handshake.h. The order of the list is part of the corpus.
#include "fuzz.h"
#include "wire/handshake.h"

using namespace rstream;

static constexpr fuzz::decoder decoders[] = {
    fuzz::decode_body<wire::peer_properties_response>,
    fuzz::decode_body<wire::sasl_handshake_response>,
    fuzz::decode_body<wire::sasl_authenticate_response>,
    fuzz::decode_body<wire::tune>,
    fuzz::decode_body<wire::open_response>,
    fuzz::decode_body<wire::command_versions_response>,
    fuzz::decode_body<wire::close_request>,
    fuzz::decode_body<wire::close_response>,
    fuzz::decode_body<wire::heartbeat>,
    fuzz::decode_body<wire::peer_properties>,
    fuzz::decode_body<wire::sasl_handshake>,
    fuzz::decode_body<wire::sasl_authenticate>,
    fuzz::decode_body<wire::tune_response>,
    fuzz::decode_body<wire::open>,
    fuzz::decode_body<wire::command_versions>,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz::run_one(decoders, data, size);
  return 0;
}
