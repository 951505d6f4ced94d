# Google Highway, headers only, as the interface target slim_lstm_highway. The dispatch between instruction sets is this
# project's own (native/cpu/dispatch.h), so Highway's library is not linked and not needed at run time.

find_path(HIGHWAY_INCLUDE_DIR hwy/highway.h)
mark_as_advanced(HIGHWAY_INCLUDE_DIR)

if(NOT HIGHWAY_INCLUDE_DIR)
  message(FATAL_ERROR "Google Highway's headers (hwy/highway.h) were not found: install libhwy-dev (Debian, Ubuntu), "
                      "highway-devel (Fedora) or highway (Arch, Homebrew), or set HIGHWAY_INCLUDE_DIR")
endif()

add_library(slim_lstm_highway INTERFACE)
target_include_directories(slim_lstm_highway SYSTEM INTERFACE "${HIGHWAY_INCLUDE_DIR}")
