#include "addon/arguments.h"

#include <cmath>
#include <cstdio>
#include <limits>

#include "errors.h"

namespace slim::addon {
namespace {

constexpr size_t kLongestText = 80;

const char* TypeName(napi_valuetype type) {
  switch (type) {
    case napi_undefined:
      return "undefined";
    case napi_null:
      return "null";
    case napi_boolean:
      return "boolean";
    case napi_number:
      return "number";
    case napi_string:
      return "string";
    case napi_symbol:
      return "symbol";
    case napi_function:
      return "function";
    case napi_bigint:
      return "bigint";
    case napi_external:
      return "external";
    case napi_object:
      break;
  }
  return "object";
}

std::string NumberText(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number < 0 ? "-Infinity" : "Infinity";
  char text[32];
  std::snprintf(text, sizeof text, "%.15g", number);
  return text;
}

/// Objects are told by their type alone: to say more would run the caller's code.
std::string Describe(const Napi::Value& value) {
  switch (value.Type()) {
    case napi_undefined:
    case napi_null:
      return TypeName(value.Type());
    case napi_boolean:
      return std::string(value.As<Napi::Boolean>().Value() ? "true" : "false") + " of type boolean";
    case napi_number:
      return NumberText(value.As<Napi::Number>().DoubleValue()) + " of type number";
    case napi_string: {
      const std::string text = value.As<Napi::String>().Utf8Value();
      return '"' + (text.size() > kLongestText ? text.substr(0, kLongestText) + "..." : text) + "\" of type string";
    }
    default:
      return std::string("a value of type ") + (value.IsArray() ? "array" : TypeName(value.Type()));
  }
}

std::string RangeText(int64_t least, int64_t most) {
  if (least == 1 && most == kMostSize) return "a positive integer";
  if (least == 0 && most == kMostSize) return "an integer that is not negative";
  return "an integer from " + std::to_string(least) + " to " + std::to_string(most);
}

napi_typedarray_type TypeOf(const Napi::Value& value) {
  return value.IsTypedArray() ? value.As<Napi::TypedArray>().TypedArrayType() : napi_uint8_clamped_array;
}

template <class T>
View<T> ViewOf(const Napi::Value& value) {
  napi_typedarray_type type;
  size_t length = 0;
  void* data = nullptr;
  const napi_status status = napi_get_typedarray_info(value.Env(), value, &type, &length, &data, nullptr, nullptr);
  if (status != napi_ok) throw Napi::Error::New(value.Env());
  return {static_cast<const T*>(data), data == nullptr ? 0 : static_cast<int64_t>(length)};
}

}  // namespace

void RejectValue(const std::string& expected, const std::string& name, const Napi::Value& received) {
  throw Error(ErrorCode::kInvalidArgument,
              "Expected " + expected + " for " + name + " but received " + Describe(received));
}

Napi::Object ReadObject(const Napi::Value& value, const std::string& name) {
  if (value.Type() != napi_object) RejectValue("an object", name, value);
  return value.As<Napi::Object>();
}

Napi::Object ReadObject(const Napi::Object& from, const char* name) { return ReadObject(from.Get(name), name); }

Napi::Array ReadArray(const Napi::Object& from, const char* name, uint32_t most) {
  const Napi::Value value = from.Get(name);
  if (!value.IsArray()) RejectValue("an array", name, value);
  const Napi::Array array = value.As<Napi::Array>();
  if (array.Length() > most) {
    throw Error(ErrorCode::kInvalidArgument, "Expected at most " + std::to_string(most) + " elements for " + name +
                                                 " but received " + std::to_string(array.Length()));
  }
  return array;
}

std::string ReadString(const Napi::Object& from, const char* name) {
  const Napi::Value value = from.Get(name);
  if (!value.IsString()) RejectValue("a string", name, value);
  return value.As<Napi::String>().Utf8Value();
}

bool ReadBoolean(const Napi::Object& from, const char* name) {
  const Napi::Value value = from.Get(name);
  if (!value.IsBoolean()) RejectValue("a boolean", name, value);
  return value.As<Napi::Boolean>().Value();
}

double ReadNumber(const Napi::Object& from, const char* name) {
  const Napi::Value value = from.Get(name);
  if (!value.IsNumber()) RejectValue("a number", name, value);
  return value.As<Napi::Number>().DoubleValue();
}

float ReadFloat(const Napi::Object& from, const char* name) {
  const double number = ReadNumber(from, name);
  if (!(std::abs(number) <= std::numeric_limits<float>::max())) {
    RejectValue("a finite number within float32", name, from.Get(name));
  }
  return static_cast<float>(number);
}

float ReadFloat(const Napi::Object& from, const char* name, float absent) {
  return from.Get(name).IsUndefined() ? absent : ReadFloat(from, name);
}

int64_t ReadInteger(const Napi::Value& value, const std::string& name, int64_t least, int64_t most) {
  if (value.IsNumber()) {
    const double number = value.As<Napi::Number>().DoubleValue();
    if (number == std::trunc(number) && number >= static_cast<double>(least) && number <= static_cast<double>(most)) {
      return static_cast<int64_t>(number);
    }
  }
  RejectValue(RangeText(least, most), name, value);
}

int64_t ReadInteger(const Napi::Object& from, const char* name, int64_t least, int64_t most) {
  return ReadInteger(from.Get(name), name, least, most);
}

int64_t ReadInteger(const Napi::Object& from, const char* name, int64_t least, int64_t most, int64_t absent) {
  const Napi::Value value = from.Get(name);
  return value.IsUndefined() ? absent : ReadInteger(value, name, least, most);
}

bool IsFloats(const Napi::Value& value) { return TypeOf(value) == napi_float32_array; }
bool IsInts(const Napi::Value& value) { return TypeOf(value) == napi_int32_array; }

View<float> ReadFloats(const Napi::Value& value, const std::string& name) {
  if (!IsFloats(value)) RejectValue("a Float32Array", name, value);
  return ViewOf<float>(value);
}

View<int32_t> ReadInts(const Napi::Value& value, const std::string& name) {
  if (!IsInts(value)) RejectValue("an Int32Array", name, value);
  return ViewOf<int32_t>(value);
}

View<uint8_t> ReadBytes(const Napi::Value& value, const std::string& name) {
  if (TypeOf(value) != napi_uint8_array) RejectValue("a Uint8Array", name, value);
  return ViewOf<uint8_t>(value);
}

}  // namespace slim::addon
