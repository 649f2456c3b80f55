// Our side of `make interop`: publishes a manifest to a stream, or prints what it reads
// from one.
//
//   rstream-interop create|delete URI STREAM
//   rstream-interop publish URI STREAM raw|amqp plain|none|gzip < manifest
//   rstream-interop consume URI STREAM COUNT raw|amqp           > manifest
//   rstream-interop group URI STREAM NAME COUNT DONE leave|stay > offsets
//   rstream-interop super-create URI NAME PARTITIONS
//   rstream-interop super-delete URI NAME
//   rstream-interop super-publish URI NAME                      < keys
//   rstream-interop super-read URI NAME COUNT                   > partitions, keys
//   rstream-interop super-group URI NAME GROUP                  > messages
//
// raw: the body is the message as it is stored, byte for byte.

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "session.h"

int main(int argc, char **argv) {
  const char *verb = argc > 3 ? argv[1] : "";
  if (argc == 4 && strcmp(verb, "create") == 0) {
    interop::create_stream(argv[2], argv[3]);
  } else if (argc == 4 && strcmp(verb, "delete") == 0) {
    interop::delete_stream(argv[2], argv[3]);
  } else if (argc == 6 && strcmp(verb, "publish") == 0) {
    interop::publish(argv[2], argv[3], argv[4], argv[5]);
  } else if (argc == 6 && strcmp(verb, "consume") == 0) {
    interop::consume(argv[2], argv[3], strtoull(argv[4], nullptr, 10), argv[5]);
  } else if (argc == 8 && strcmp(verb, "group") == 0) {
    interop::take_turn(argv[2], argv[3], argv[4],
                       {strtoull(argv[5], nullptr, 10), strtoull(argv[6], nullptr, 10),
                        strcmp(argv[7], "stay") == 0});
  } else if (argc == 5 && strcmp(verb, "super-create") == 0) {
    interop::create_super(argv[2], argv[3],
                          static_cast<uint32_t>(strtoul(argv[4], nullptr, 10)));
  } else if (argc == 4 && strcmp(verb, "super-delete") == 0) {
    interop::delete_super(argv[2], argv[3]);
  } else if (argc == 4 && strcmp(verb, "super-publish") == 0) {
    interop::publish_super(argv[2], argv[3]);
  } else if (argc == 5 && strcmp(verb, "super-read") == 0) {
    interop::read_super(argv[2], argv[3], strtoull(argv[4], nullptr, 10));
  } else if (argc == 5 && strcmp(verb, "super-group") == 0) {
    interop::join_super(argv[2], argv[3], argv[4]);
  } else {
    fputs("usage: rstream-interop VERB URI STREAM ..., see main.cpp\n", stderr);
    return 2;
  }
  return 0;
}
