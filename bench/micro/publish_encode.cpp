// Publishing, without the network: messages into a frame, ids out of a confirm.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <cstring>

#include "client/producer_batch.h"
#include "wire/publish.h"

namespace {

using namespace rstream;

constexpr uint32_t slab_bytes = 1 << 20;

// A frame built and sealed as a producer does it.
uint32_t build(batch &b, const uint8_t *body, uint32_t body_bytes, uint32_t count) {
  uint8_t *at = b.frame + wire::publish_header_bytes;
  for (uint32_t i = 0; i < count; i++) {
    at = wire::write_entry_header(at, b.first_id + i, body_bytes);
    memcpy(at, body, body_bytes);
    at += body_bytes;
  }
  return batch_seal(b, 0, static_cast<uint32_t>(at - b.frame), count, count);
}

void publish_encode(benchmark::State &state) {
  uint32_t body_bytes = static_cast<uint32_t>(state.range(0));
  uint32_t count = static_cast<uint32_t>(state.range(1));
  uint8_t *memory = static_cast<uint8_t *>(calloc(1, slab_bytes));
  uint8_t *body = static_cast<uint8_t *>(calloc(1, body_bytes));
  batch b;
  b.frame = memory;
  for (auto _ : state) {
    benchmark::DoNotOptimize(build(b, body, body_bytes, count));
    benchmark::ClobberMemory();
    b.first_id += count;
  }
  state.SetItemsProcessed(state.iterations() * count);
  state.SetBytesProcessed(state.iterations() * b.frame_bytes);
  free(body);
  free(memory);
}
// Body bytes, messages per frame.
BENCHMARK(publish_encode)
    ->Args({10, 1})
    ->Args({10, 100})
    ->Args({10, 2900})
    ->Args({100, 100});
BENCHMARK(publish_encode)->Args({1000, 100});

// What a PublishConfirm costs: decode it, mark each of its messages.
void confirm_decode(benchmark::State &state) {
  uint32_t count = static_cast<uint32_t>(state.range(0));
  uint8_t *memory = static_cast<uint8_t *>(calloc(1, slab_bytes));
  uint64_t *ids = static_cast<uint64_t *>(calloc(count, sizeof *ids));
  uint8_t *frame = static_cast<uint8_t *>(calloc(count + 4, sizeof *ids));
  for (uint32_t i = 0; i < count; i++) ids[i] = i;
  wire::writer w = wire::writer_of({frame, (count + 4) * sizeof *ids});
  wire::encode(w,
               wire::publish_confirm{.publisher_id = 0, .ids = {.items = {ids, count}}});
  const uint8_t body[1] = {};
  batch b;
  b.frame = memory;
  build(b, body, sizeof body, count);
  for (auto _ : state) {
    wire::reader r =
        wire::reader_of({frame + 8, w.written - 8});  // behind size, key, version
    wire::publish_confirm confirm;
    if (!wire::decode(r, confirm)) state.SkipWithError("decoding failed");
    memset(b.done, 0, batch_bits_bytes(count));
    b.left = count;
    wire::seq_iter<uint64_t> it(confirm.ids);
    for (uint64_t id = 0; it.next(id);)
      batch_mark(b, static_cast<uint32_t>(id - b.first_id));
    if (b.left > 0) state.SkipWithError("ids are missing");
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * count);
  free(frame);
  free(ids);
  free(memory);
}
BENCHMARK(confirm_decode)->Arg(100)->Arg(8000);

}  // namespace
