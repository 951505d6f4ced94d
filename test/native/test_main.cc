// Runs the registered tests: all of them, one suite (--suite=<file>), or those whose name contains a text
// (--filter=<text>);
// --report=<path> writes the outcome of each as JSON. Exits with 1 when a test fails or none was selected.

#include <chrono>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "test.h"

namespace slim::test {
namespace {

struct Case {
  std::string suite;
  std::string name;
  TestFunction function;
};

struct Outcome {
  const Case* test;
  bool passed;
  double milliseconds;
};

struct Options {
  std::string suite;
  std::string filter;
  std::string report;
};

// A function's static, because tests register before main in an unknown order of files.
std::vector<Case>& Cases() {
  static std::vector<Case> cases;
  return cases;
}

// A failing loop over thousands of elements tells its first failures and counts the rest.
constexpr int kFailuresTold = 10;

std::mutex failures_mutex;
int failures_of_case = 0;

std::string SuiteOf(const char* file) { return std::filesystem::path(file).stem().string(); }

Options ParseOptions(int count, char** arguments) {
  Options options;
  for (int i = 1; i < count; ++i) {
    const std::string_view argument = arguments[i];
    auto take = [&](std::string_view prefix, std::string* value) {
      if (!argument.starts_with(prefix)) return false;
      *value = argument.substr(prefix.size());
      return true;
    };
    if (take("--suite=", &options.suite) || take("--filter=", &options.filter) || take("--report=", &options.report)) {
      continue;
    }
    std::fprintf(stderr, "Expected --suite=, --filter= or --report= but received %s\n", arguments[i]);
    std::exit(2);
  }
  return options;
}

bool Selected(const Case& test, const Options& options) {
  return (options.suite.empty() || test.suite == options.suite) &&
         (options.filter.empty() || test.name.find(options.filter) != std::string::npos);
}

Outcome Run(const Case& test) {
  failures_of_case = 0;
  const auto start = std::chrono::steady_clock::now();
  try {
    test.function();
  } catch (const TestEnded&) {
  } catch (const std::exception& error) {
    Fail(test.suite.c_str(), 0, std::string("threw ") + error.what());
  } catch (...) {
    Fail(test.suite.c_str(), 0, "threw something that is no std::exception");
  }
  const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
  const std::lock_guard<std::mutex> lock(failures_mutex);
  if (failures_of_case > kFailuresTold) {
    std::printf("    and %d more\n", failures_of_case - kFailuresTold);
  }
  return {&test, failures_of_case == 0, elapsed.count()};
}

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

void WriteReport(const std::string& path, const std::vector<Outcome>& outcomes, int failed) {
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent);
  std::ofstream out(path);
  out << "{\"passed\":" << outcomes.size() - static_cast<size_t>(failed) << ",\"failed\":" << failed << ",\"cases\":[";
  for (size_t i = 0; i < outcomes.size(); ++i) {
    const Outcome& outcome = outcomes[i];
    out << (i == 0 ? "\n" : ",\n") << "{\"suite\":" << Quoted(outcome.test->suite)
        << ",\"name\":" << Quoted(outcome.test->name) << ",\"passed\":" << (outcome.passed ? "true" : "false")
        << ",\"milliseconds\":" << outcome.milliseconds << "}";
  }
  out << "\n]}\n";
}

int Main(int count, char** arguments) {
  const Options options = ParseOptions(count, arguments);
  std::vector<Outcome> outcomes;
  int failed = 0;
  for (const Case& test : Cases()) {
    if (!Selected(test, options)) continue;
    const Outcome outcome = Run(test);
    outcomes.push_back(outcome);
    failed += outcome.passed ? 0 : 1;
    std::printf("%s %s: %s (%.0f ms)\n", outcome.passed ? "ok    " : "FAILED", test.suite.c_str(), test.name.c_str(),
                outcome.milliseconds);
    std::fflush(stdout);
  }
  std::printf("%zu passed, %d failed\n", outcomes.size() - static_cast<size_t>(failed), failed);
  if (!options.report.empty()) WriteReport(options.report, outcomes, failed);
  return failed == 0 && !outcomes.empty() ? 0 : 1;
}

}  // namespace

bool Register(const char* file, const char* name, TestFunction function) {
  Cases().push_back({SuiteOf(file), name, function});
  return true;
}

void Fail(const char* file, int line, const std::string& message) {
  const std::lock_guard<std::mutex> lock(failures_mutex);
  if (++failures_of_case <= kFailuresTold) std::printf("    %s:%d: %s\n", file, line, message.c_str());
}

}  // namespace slim::test

int main(int count, char** arguments) { return slim::test::Main(count, arguments); }
