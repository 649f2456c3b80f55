#include "client/super_stream_requests.h"

#include <cstdio>
#include <cstring>

#include "client/name_list.h"
#include "client/request_answers.h"

namespace rstream {

namespace {

void tell_names(locator_op *op, int status, const wire::seq<std::string_view> &streams) {
  memory &mem = env_memory(op->env);
  name_list names;
  if (status == 0 && !name_list_copy(names, mem, streams)) status = RSTREAM_ENOMEM;
  auto callback = request_callback<rstream_partitions_cb>(op);
  // It may close the environment, which goes in a later turn.
  callback(op->env, status, names.names, names.count, op->user);
  name_list_release(names, mem);
}

void on_partitions(locator_op *op, int status, wire::bytes body, const char *) {
  wire::partitions_response response;
  if (status == 0 && !request_decode(body, response)) status = RSTREAM_EPROTO;
  tell_names(op, status, response.streams);
}

void on_route(locator_op *op, int status, wire::bytes body, const char *) {
  wire::route_response response;
  if (status == 0 && !request_decode(body, response)) status = RSTREAM_EPROTO;
  tell_names(op, status, response.streams);
}

constexpr size_t digits_bytes = 12;

uint32_t count_of(const rstream_super_stream_options &o) {
  return o.binding_keys ? static_cast<uint32_t>(o.binding_key_count) : o.partitions;
}

// Room for NAME-KEY of each partition; a number is shorter than digits_bytes.
size_t text_bytes(const rstream_super_stream_options &o, size_t name_bytes) {
  size_t bytes = 0;
  for (uint32_t i = 0; i < count_of(o); i++) {
    size_t key = o.binding_keys ? strlen(o.binding_keys[i]) : digits_bytes;
    bytes += name_bytes + 1 + key + 1;
  }
  return bytes;
}

// Partitions and their keys, made in one block. A key is the end of its partition's name.
struct layout {
  void *block = nullptr;
  std::string_view *partitions = nullptr;
  std::string_view *keys = nullptr;
};

bool make_layout(layout &l, memory &mem, const char *name,
                 const rstream_super_stream_options &o) {
  size_t name_bytes = strlen(name);
  uint32_t count = count_of(o);
  size_t views = 2 * count * sizeof(std::string_view);
  l.block = memory_allocate(mem, views + text_bytes(o, name_bytes));
  if (!l.block) return false;
  l.partitions = static_cast<std::string_view *>(l.block);
  l.keys = l.partitions + count;
  char *text = static_cast<char *>(l.block) + views;
  for (uint32_t i = 0; i < count; i++) {
    memcpy(text, name, name_bytes + 1);
    text[name_bytes] = '-';
    char *key = text + name_bytes + 1;
    size_t key_bytes;
    if (o.binding_keys) {
      key_bytes = strlen(o.binding_keys[i]);
      memcpy(key, o.binding_keys[i], key_bytes + 1);
    } else {
      key_bytes = static_cast<size_t>(snprintf(key, digits_bytes, "%u", i));
    }
    l.partitions[i] = {text, name_bytes + 1 + key_bytes};
    l.keys[i] = {key, key_bytes};
    text = key + key_bytes + 1;
  }
  return true;
}

}  // namespace

int request_create_super(env *e, const char *name, const rstream_super_stream_options &o,
                         const rstream_stream_options &arguments,
                         rstream_result_cb on_result, void *user) {
  memory &mem = env_memory(e);
  layout l;
  if (!make_layout(l, mem, name, o))
    return env_error(e, RSTREAM_ENOMEM, "no memory for a request");
  create_arguments a;
  create_arguments_of(a, arguments);
  uint32_t count = count_of(o);
  wire::create_super_stream request{.name = name,
                                    .partitions = {{l.partitions, count}},
                                    .binding_keys = {{l.keys, count}},
                                    .arguments = {{a.list, a.count}}};
  int rc = request_submit(e, wire::key::create_super_stream, request, request_on_result,
                          on_result, user);
  memory_release(mem, l.block);
  return rc;
}

int request_delete_super(env *e, const char *name, rstream_result_cb on_result,
                         void *user) {
  return request_submit(e, wire::key::delete_super_stream,
                        wire::delete_super_stream{.name = name}, request_on_result,
                        on_result, user);
}

int request_partitions(env *e, const char *name, rstream_partitions_cb on_result,
                       void *user) {
  return request_submit(e, wire::key::partitions, wire::partitions{.super_stream = name},
                        on_partitions, on_result, user);
}

int request_route(env *e, const char *name, std::string_view routing_key,
                  rstream_partitions_cb on_result, void *user) {
  return request_submit(e, wire::key::route,
                        wire::route{.routing_key = routing_key, .super_stream = name},
                        on_route, on_result, user);
}

}  // namespace rstream
