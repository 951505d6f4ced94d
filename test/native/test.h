// The frame of the native tests. A test file `<suite>_test.cc` reads
//
//   #include "test.h"
//
//   TEST("a product with one row equals the plain loop") {
//     EXPECT_EQ(rows, 1);
//     EXPECT_NEAR(ours[0], plain[0], 1e-6);
//   }
//
// Expectations may be used from any thread; a test fails when one of them does, or when it throws. REQUIRE ends the
// test.
#pragma once

#include <cmath>
#include <sstream>
#include <stdexcept>
#include <string>

namespace slim::test {

using TestFunction = void (*)();

// Adds a test to the suite named by `file` (its base name without extension). Called before main by TEST.
bool Register(const char* file, const char* name, TestFunction function);

// Counts a failure of the running test and prints it.
void Fail(const char* file, int line, const std::string& message);

// What REQUIRE throws after it has told the failure.
struct TestEnded {};

// The value as text, for types that have operator<<, otherwise a note that it cannot be shown.
template <typename T>
std::string Show(const T& value) {
  if constexpr (requires(std::ostream & out) { out << value; }) {
    std::ostringstream out;
    out.precision(9);
    out << value;
    return out.str();
  } else {
    return "(a value that cannot be printed)";
  }
}

template <typename A, typename B>
bool ExpectEqual(const char* file, int line, const char* text, const A& actual, const B& expected) {
  if (actual == expected) return true;
  Fail(file, line, std::string(text) + ": expected " + Show(expected) + " but received " + Show(actual));
  return false;
}

// |actual - expected| <= tolerance; NaN is near nothing.
inline bool ExpectNear(const char* file, int line, const char* text, double actual, double expected, double tolerance) {
  if (std::abs(actual - expected) <= tolerance) return true;
  Fail(file, line,
       std::string(text) + ": expected " + Show(expected) + " within " + Show(tolerance) + " but received " +
           Show(actual));
  return false;
}

inline bool ExpectTrue(const char* file, int line, const char* text, bool value) {
  if (!value) Fail(file, line, std::string(text) + " is false");
  return value;
}

inline bool ExpectTells(const char* file, int line, const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return true;
  Fail(file, line, "\"" + text + "\" does not tell \"" + part + "\"");
  return false;
}

}  // namespace slim::test

#define SLIM_TEST_JOIN_(a, b) a##b
#define SLIM_TEST_JOIN(a, b) SLIM_TEST_JOIN_(a, b)

#define TEST(name)                                                                    \
  static void SLIM_TEST_JOIN(SlimTest, __LINE__)();                                   \
  [[maybe_unused]] static const bool SLIM_TEST_JOIN(slim_test_registered, __LINE__) = \
      ::slim::test::Register(__FILE__, name, &SLIM_TEST_JOIN(SlimTest, __LINE__));    \
  static void SLIM_TEST_JOIN(SlimTest, __LINE__)()

#define EXPECT(condition) ::slim::test::ExpectTrue(__FILE__, __LINE__, #condition, static_cast<bool>(condition))
#define EXPECT_EQ(actual, expected) ::slim::test::ExpectEqual(__FILE__, __LINE__, #actual, (actual), (expected))
#define EXPECT_NEAR(actual, expected, tolerance) \
  ::slim::test::ExpectNear(__FILE__, __LINE__, #actual, (actual), (expected), (tolerance))

// The text has the part somewhere.
#define EXPECT_TELLS(text, part) ::slim::test::ExpectTells(__FILE__, __LINE__, (text), (part))

#define EXPECT_THROWS(expression, type)                                                          \
  do {                                                                                           \
    bool slim_test_threw = false;                                                                \
    try {                                                                                        \
      static_cast<void>(expression);                                                             \
    } catch (const type&) {                                                                      \
      slim_test_threw = true;                                                                    \
    }                                                                                            \
    ::slim::test::ExpectTrue(__FILE__, __LINE__, #expression " throws " #type, slim_test_threw); \
  } while (false)

#define REQUIRE(condition)                                   \
  do {                                                       \
    if (!EXPECT(condition)) throw ::slim::test::TestEnded(); \
  } while (false)
