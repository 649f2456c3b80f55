#pragma once

// What a super producer and a super consumer do alike with their partitions: to find
// them, to add them, and to tell the application about them. Both kinds of handles and of
// partitions name their members alike.

#include <cassert>

#include "client/env.h"
#include "rstream/super_stream.h"

namespace rstream {

// Part: the struct of a partition, whose `node` is of super->partitions.
template <class Part, class Super, class Use>
void partitions_each(const Super *s, Use use) {
  for (list_node *n = s->partitions.next; n != &s->partitions; n = n->next)
    use(RSTREAM_OWNER(n, Part, node));
}

template <class Part, class Super>
Part *partitions_find(const Super *s, std::string_view stream) {
  Part *found = nullptr;
  partitions_each<Part>(s, [&](Part *part) {
    if (stream == part->stream) found = part;
  });
  return found;
}

// nullptr when out of memory.
template <class Part, class Super>
[[nodiscard]] Part *partitions_add(Super *s, std::string_view stream) {
  memory &mem = env_memory(s->env);
  auto *part = memory_new<Part>(mem);
  if (!part) return nullptr;
  part->stream = memory_copy_text(mem, stream);
  if (!part->stream) {
    memory_delete(mem, part);
    return nullptr;
  }
  part->owner = s;
  list_push_back(s->partitions, part->node);
  return part;
}

template <class Part>
void partition_tell(Part *part, rstream_partition_change change,
                    rstream_handle_state state, int reason, const char *text) {
  auto *s = part->owner;
  if (!s->options.on_partition || s->closing) return;
  rstream_partition_event event{sizeof event, change, state, reason, text, part->stream};
  s->options.on_partition(s, &event, s->options.user);
}

// Tells which were added or removed.
template <class Part, class Super>
void partitions_tell_changes(Super *s) {
  partitions_each<Part>(s, [](Part *part) {
    if (part->told_listed == part->listed) return;
    part->told_listed = part->listed;
    partition_tell(part,
                   part->listed ? RSTREAM_PARTITION_ADDED : RSTREAM_PARTITION_REMOVED,
                   RSTREAM_STATE_OPENING, 0, "");
  });
}

// All of them go with the handle; release_more(part) what only one kind has.
template <class Part, class Super, class ReleaseMore>
void partitions_release(Super *s, ReleaseMore release_more) {
  memory &mem = env_memory(s->env);
  while (list_node *node = list_pop_front(s->partitions)) {
    Part *part = RSTREAM_OWNER(node, Part, node);
    release_more(part);
    memory_release(mem, part->stream);
    memory_delete(mem, part);
  }
}

// ---- the handle itself

template <class Super, class Phase>
void super_set_phase(Super *s, Phase phase) {
  assert(phase > s->phase);
  s->phase = phase;
}

template <class Super>
void super_tell_state(Super *s, rstream_handle_state state, int reason,
                      const char *text) {
  if (!s->options.on_state || s->closing) return;
  rstream_state event{};
  event.struct_size = sizeof event;
  event.state = state;
  event.reason = reason;
  event.text = text;
  event.stream = s->super_stream;
  s->options.on_state(s, &event, s->options.user);
}

}  // namespace rstream
