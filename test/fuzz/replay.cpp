// Runs a fuzz target without libFuzzer: once for each file given, and for each file in a
// folder given. So the targets and their corpus are part of every build's tests, with any
// compiler.
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "fuzz.h"

namespace fs = std::filesystem;

static std::string running;

static void run_file(const fs::path &path) {
  running = path.string();
  std::ifstream file(path, std::ios::binary);
  std::vector<char> text{std::istreambuf_iterator<char>(file), {}};
  // A block of exactly that size: reading past it is noticed.
  std::unique_ptr<uint8_t[]> exact(new uint8_t[text.size()]);
  std::copy(text.begin(), text.end(), exact.get());
  LLVMFuzzerTestOneInput(exact.get(), text.size());
}

static void tell_input(int signal_number) {
  fprintf(stderr, "crashed by %s\n", running.c_str());
  signal(signal_number, SIG_DFL);
  raise(signal_number);
}

int main(int argc, char **argv) {
  signal(SIGABRT, tell_input);
  signal(SIGSEGV, tell_input);
  uint8_t nothing = 0;
  LLVMFuzzerTestOneInput(&nothing, 0);
  size_t count = 0;
  for (int i = 1; i < argc; i++) {
    if (!fs::is_directory(argv[i])) {
      run_file(argv[i]);
      count++;
      continue;
    }
    for (const auto &entry : fs::directory_iterator(argv[i])) {
      run_file(entry.path());
      count++;
    }
  }
  printf("%zu inputs\n", count);
  return count > 0 ? 0 : 1;
}
