// Decoders of wire/publish.h. The order of the list is part of the corpus.
#include "fuzz.h"
#include "wire/publish.h"

using namespace rstream;

static void decode_publish(wire::bytes body, uint16_t version) {
  wire::reader r = wire::reader_of(body);
  wire::publish x;
  if (!decode(r, x, version)) return;
  wire::publish_entries it = x.entries;
  wire::publish_entry entry;
  uint64_t sum = 0;
  while (it.next(entry)) {
    for (uint8_t byte : entry.whole) sum += byte;
  }
  if (it.failed) abort();  // decode() has walked them already
  volatile uint64_t used = sum;
  (void)used;
}

static void decode_publish_1(wire::bytes body) { decode_publish(body, 1); }
static void decode_publish_2(wire::bytes body) { decode_publish(body, 2); }

static constexpr fuzz::decoder decoders[] = {
    fuzz::decode_body<wire::publish_confirm>,
    fuzz::decode_body<wire::publish_error>,
    fuzz::decode_body<wire::query_sequence_response>,
    fuzz::decode_body<wire::declare_publisher>,
    fuzz::decode_body<wire::delete_publisher>,
    fuzz::decode_body<wire::query_sequence>,
    decode_publish_1,
    decode_publish_2,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz::run_one(decoders, data, size);
  return 0;
}
