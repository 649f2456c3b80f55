// Decoders of wire/consume.h. The order of the list is part of the corpus.
#include "fuzz.h"
#include "wire/consume.h"

using namespace rstream;

static void decode_deliver(wire::bytes body, uint16_t version) {
  wire::reader r = wire::reader_of(body);
  wire::deliver x;
  if (decode(r, x, version) && x.chunk.size() > body.size()) abort();
}

static void decode_deliver_1(wire::bytes body) { decode_deliver(body, 1); }
static void decode_deliver_2(wire::bytes body) { decode_deliver(body, 2); }

static constexpr fuzz::decoder decoders[] = {
    decode_deliver_1,
    decode_deliver_2,
    fuzz::decode_body<wire::credit_error>,
    fuzz::decode_body<wire::query_offset_response>,
    fuzz::decode_body<wire::consumer_update>,
    fuzz::decode_body<wire::resolve_offset_response>,
    fuzz::decode_body<wire::subscribe>,
    fuzz::decode_body<wire::credit>,
    fuzz::decode_body<wire::unsubscribe>,
    fuzz::decode_body<wire::store_offset>,
    fuzz::decode_body<wire::query_offset>,
    fuzz::decode_body<wire::consumer_update_response>,
    fuzz::decode_body<wire::resolve_offset>,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz::run_one(decoders, data, size);
  return 0;
}
