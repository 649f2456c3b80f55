// An environment on a loop of its own that never connects anywhere.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "counting_memory.h"
#include "rstream/rstream.h"

namespace rstream::test {

struct api_fixture : testing::Test {
  counting_memory blocks;
  rstream_allocator allocator{counting_memory::allocate, counting_memory::resize,
                              counting_memory::release, &blocks};
  rstream_env *env = nullptr;
  char text[256] = "untouched";

  rstream_env_options options() {
    rstream_env_options o;
    rstream_env_options_init(&o);
    o.host = "127.0.0.1";
    o.port = 1;
    o.allocator = &allocator;
    o.error_text = text;
    o.error_text_size = sizeof text;
    return o;
  }

  void create() {
    rstream_env_options o = options();
    ASSERT_EQ(rstream_env_create(&env, nullptr, &o), 0) << text;
  }

  void close() {
    if (!env) return;
    rstream_env_close(env, nullptr, nullptr);
    while (rstream_env_run(env, -1) != RSTREAM_ECLOSED) {
    }
    env = nullptr;
  }

  // Creates an environment that is expected to be refused.
  int refused(const rstream_env_options &o) {
    strcpy(text, "untouched");
    int rc = rstream_env_create(&env, nullptr, &o);
    if (rc == 0) close();
    return rc;
  }

  std::string error_text() { return rstream_env_error_text(env); }

  void TearDown() override {
    close();
    EXPECT_EQ(blocks.bytes, 0u);
  }
};

}  // namespace rstream::test
