#include "util/log.h"

#include <gtest/gtest.h>

#include <string>

using namespace rstream;

namespace {

struct log_test : testing::Test {
  std::string text;
  log_level level = log_level::off;
  int lines = 0;
  logger log{write, this, log_level::info};

  static void write(log_level level, const char *text, void *user) {
    auto *t = static_cast<log_test *>(user);
    t->level = level;
    t->text = text;
    t->lines++;
  }
};

}  // namespace

TEST_F(log_test, formats_and_passes_on_the_level) {
  log_line(log, log_level::warn, "%s has %d", "stream", 5);
  EXPECT_EQ(text, "stream has 5");
  EXPECT_EQ(level, log_level::warn);
}

TEST_F(log_test, drops_what_is_more_detailed_than_wanted) {
  log_line(log, log_level::info, "in");
  log_line(log, log_level::debug, "out");
  EXPECT_EQ(lines, 1);
  EXPECT_EQ(text, "in");
}

TEST_F(log_test, off_means_nothing_at_all) {
  log.level = log_level::off;
  log_line(log, log_level::error, "out");
  EXPECT_FALSE(log_wanted(log, log_level::off));
  EXPECT_EQ(lines, 0);
}

TEST_F(log_test, needs_nobody_to_listen) {
  logger nobody;
  log_line(nobody, log_level::error, "out");
  EXPECT_FALSE(log_wanted(nobody, log_level::error));
}

TEST_F(log_test, replaces_control_characters_and_keeps_utf_8) {
  log_line(log, log_level::info, "%s", "a\nb\r\x1b[31m\x7f\x01 \xc3\xbc");
  EXPECT_EQ(text, "a?b??[31m?? \xc3\xbc");
}

TEST_F(log_test, cuts_at_512_bytes) {
  log_line(log, log_level::info, "%s", std::string(511, 'x').c_str());
  EXPECT_EQ(text.size(), 511u);
  log_line(log, log_level::info, "%s", std::string(5000, 'y').c_str());
  EXPECT_EQ(text, std::string(511, 'y'));
}
