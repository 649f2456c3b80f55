#include "rstream/error.h"

#include <gtest/gtest.h>
#include <uv.h>

#include <set>
#include <string>

#include "wire/command.h"

namespace {

struct error_case {
  int number;
  const char *name, *text;
  int retry;
};

constexpr error_case all[] = {
#define ERROR_CASE(number, name, text, retry) {number, "RSTREAM_" #name, text, retry},
    RSTREAM_ERROR_MAP(ERROR_CASE)
#undef ERROR_CASE
};

}  // namespace

TEST(error, every_code_has_its_name_text_and_verdict) {
  for (const error_case &e : all) {
    EXPECT_STREQ(rstream_error_name(e.number), e.name);
    EXPECT_STREQ(rstream_error_text(e.number), e.text);
    EXPECT_EQ(rstream_error_is_retriable(e.number), e.retry) << e.name;
  }
}

TEST(error, codes_are_negative_distinct_and_in_their_ranges) {
  std::set<int> numbers;
  std::set<std::string> texts;
  for (const error_case &e : all) {
    EXPECT_TRUE(numbers.insert(e.number).second) << e.name;
    EXPECT_TRUE(texts.insert(e.text).second) << e.name;
    bool of_broker = std::string(e.name).starts_with("RSTREAM_BROKER_");
    int low = of_broker ? -21999 : -20999;
    EXPECT_GE(e.number, low) << e.name;
    EXPECT_LE(e.number, low + 998) << e.name;
  }
}

TEST(error, every_response_code_of_the_broker_but_ok_has_one) {
  for (int code = 2; code <= rstream::wire::last_response; code++) {
    EXPECT_STRNE(rstream_error_name(RSTREAM_EBROKER_BASE - code), "UNKNOWN") << code;
  }
}

TEST(error, success_has_a_name_too) {
  EXPECT_STREQ(rstream_error_name(0), "RSTREAM_OK");
  EXPECT_STREQ(rstream_error_text(0), "success");
  EXPECT_EQ(rstream_error_is_retriable(0), 0);
}

TEST(error, codes_of_libuv_pass_through) {
  EXPECT_STREQ(rstream_error_name(UV_ECONNREFUSED), "UV_ECONNREFUSED");
  EXPECT_STREQ(rstream_error_text(UV_ECONNREFUSED), "connection refused");
  for (int code : {UV_ECONNREFUSED, UV_EOF, UV_EAI_NONAME, UV_ENOTCONN, UV_ETIMEDOUT}) {
    EXPECT_STREQ(rstream_error_text(code), uv_strerror(code));
    EXPECT_EQ(rstream_error_is_retriable(code), 1) << code;
  }
}

TEST(error, unknown_codes_are_said_to_be_unknown) {
  for (int code : {1, 42, -5000, -20000, -20999, -21000, -21001, -21500, -22000,
                   INT32_MIN, INT32_MAX}) {
    EXPECT_STREQ(rstream_error_name(code), "UNKNOWN") << code;
    EXPECT_STREQ(rstream_error_text(code), "unknown error") << code;
    EXPECT_EQ(rstream_error_is_retriable(code), 0) << code;
  }
}
