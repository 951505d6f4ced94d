#pragma once

#include <napi.h>

#include <cstdint>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

/// Reading what JavaScript hands over. Nothing is converted silently: a value of another type or outside its range
/// throws Error (kInvalidArgument) in the manner "Expected a positive integer for units but received 0 of type number".
/// Reading a property may run the caller's code (a getter), so everything is read before anything is begun.
namespace slim::addon {

[[noreturn]] void RejectValue(const std::string& expected, const std::string& name, const Napi::Value& received);

Napi::Object ReadObject(const Napi::Value& value, const std::string& name);
Napi::Object ReadObject(const Napi::Object& from, const char* name);
/// An array of at most `most` elements.
Napi::Array ReadArray(const Napi::Object& from, const char* name, uint32_t most);
std::string ReadString(const Napi::Object& from, const char* name);
bool ReadBoolean(const Napi::Object& from, const char* name);
double ReadNumber(const Napi::Object& from, const char* name);
/// A number that a float32 can hold without becoming infinite; NaN is refused.
float ReadFloat(const Napi::Object& from, const char* name);
float ReadFloat(const Napi::Object& from, const char* name, float absent);
int64_t ReadInteger(const Napi::Value& value, const std::string& name, int64_t least, int64_t most);
int64_t ReadInteger(const Napi::Object& from, const char* name, int64_t least, int64_t most);
int64_t ReadInteger(const Napi::Object& from, const char* name, int64_t least, int64_t most, int64_t absent);

/// The largest integer up to which a JavaScript number counts exactly.
inline constexpr int64_t kMostSafeInteger = (int64_t{1} << 53) - 1;
/// Sizes are read up to here; the program checks them against its own limits.
inline constexpr int64_t kMostSize = kMostSafeInteger;

template <class Value>
Value ReadName(const Napi::Object& from, const char* name, std::initializer_list<std::pair<const char*, Value>> names) {
  const Napi::Value value = from.Get(name);
  if (value.IsString()) {
    const std::string text = value.As<Napi::String>().Utf8Value();
    for (const auto& [known, meaning] : names) {
      if (text == known) return meaning;
    }
  }
  std::string expected = "one of";
  for (const auto& [known, meaning] : names) expected += std::string(expected == "one of" ? " " : ", ") + known;
  RejectValue(expected, name, value);
}

/// The memory of a Float32Array, an Int32Array or a Uint8Array. It is the caller's: valid until JavaScript runs again.
template <class T>
struct View {
  const T* data;
  int64_t size;
};
bool IsFloats(const Napi::Value& value);
bool IsInts(const Napi::Value& value);
View<float> ReadFloats(const Napi::Value& value, const std::string& name);
View<int32_t> ReadInts(const Napi::Value& value, const std::string& name);
View<uint8_t> ReadBytes(const Napi::Value& value, const std::string& name);

}  // namespace slim::addon
