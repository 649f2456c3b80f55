#pragma once

#include <cstdint>

#include "net/net.h"
#include "util/ring.h"
#include "util/slab.h"

namespace rstream {

// Frames on their way out, in order. Batches are queued as slices of their slabs, small
// frames are encoded into slabs of the queue itself; a flush gathers as many as it can in
// one write.
struct send_segment {
  slab *owner;  // one reference is held
  const uint8_t *data;
  uint32_t size;
};

struct send_queue {
  slab_pool *pool = nullptr;
  ring<send_segment> segments;
  uint64_t bytes = 0;       // queued, not yet taken by the transport
  uint32_t first_sent = 0;  // bytes of the first segment that were taken
  bool blocked = false;     // the transport is full and will tell when it is not
  slab *control = nullptr;  // where small frames are put
  uint32_t control_used = 0;
};

void send_queue_init(send_queue &queue, slab_pool &pool);
void send_queue_release(send_queue &queue);

// Queues a slice; takes a reference of its own. False when out of memory.
[[nodiscard]] bool send_queue_push(send_queue &queue, slab *owner, const uint8_t *data,
                                   uint32_t size);

// Room for a small frame that is part of the queue from now on: the caller fills it at
// once. nullptr when out of memory.
[[nodiscard]] uint8_t *send_queue_append(send_queue &queue, uint32_t size);

// Writes until all is taken or the transport is full. Does nothing while it is full.
// Returns how many bytes were taken, or a negative code of libuv.
[[nodiscard]] ptrdiff_t send_queue_flush(send_queue &queue, transport *t);

}  // namespace rstream
