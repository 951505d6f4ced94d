// Whatever a driver answers, the user is told what it means and what to do.

#if defined(__linux__)

#include "cuda/diagnosis.h"
#include "test.h"

namespace slim::test {
namespace {

using cuda::DeviceReport;
using cuda::DriverAnswers;
using cuda::WhyNoDevice;
using cuda::WhyNotThisDevice;

bool Says(const std::string& text, const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (text.find(word) == std::string::npos) return false;
  }
  return true;
}

DriverAnswers Answers(int status, int driver_version, const std::string& driver) {
  DriverAnswers answers;
  answers.status = status;
  answers.status_text = "the driver's words";
  answers.driver_version = driver_version;
  answers.runtime_version = 13000;
  answers.driver = driver;
  return answers;
}

DeviceReport Gpu(int major, int minor) {
  DeviceReport device;
  device.name = "Some GPU";
  device.major = major;
  device.minor = minor;
  return device;
}

bool Runs(const std::string& architectures, int major, int minor) {
  return WhyNotThisDevice(Gpu(major, minor), architectures).empty();
}

TEST("where there are devices nothing is said") {
  DriverAnswers answers = Answers(0, 13000, "580.65.06");
  answers.devices = 1;
  EXPECT(WhyNoDevice(answers).empty());
}

TEST("a missing driver, one that is too old and one without its library are told apart") {
  EXPECT(Says(WhyNoDevice(Answers(35, 0, "")), {"no NVIDIA driver is loaded", "driver 580 or newer"}));
  EXPECT(Says(WhyNoDevice(Answers(35, 12080, "570.86.10")),
              {"the NVIDIA driver 570.86.10 is too old", "CUDA 12.8", "needs 13.0", "driver 580 or newer"}));
  EXPECT(Says(WhyNoDevice(Answers(35, 0, "580.65.06")), {"580.65.06 is loaded", "libcuda.so.1", "--gpus all"}));
  DriverAnswers older = Answers(35, 11080, "520.61.05");
  older.runtime_version = 12080;
  EXPECT(Says(WhyNoDevice(older), {"CUDA 11.8", "needs 12.8", "driver 525 or newer"}));
}

TEST("where no device is seen the reason may be CUDA_VISIBLE_DEVICES") {
  DriverAnswers answers = Answers(100, 13000, "580.65.06");
  EXPECT(Says(WhyNoDevice(answers), {"580.65.06 sees no GPU", "nvidia-smi"}));
  answers.visible_devices_set = true;
  EXPECT(Says(WhyNoDevice(answers), {"CUDA_VISIBLE_DEVICES is ''", "unset it"}));
  answers.visible_devices = "7";
  EXPECT(Says(WhyNoDevice(answers), {"CUDA_VISIBLE_DEVICES is '7'"}));
  answers.status = 0;
  EXPECT(Says(WhyNoDevice(answers), {"CUDA_VISIBLE_DEVICES is '7'"}));
}

TEST("other refusals of the driver name their remedy, unknown ones their number") {
  const auto said = [](int status) { return WhyNoDevice(Answers(status, 13000, "580.65.06")); };
  EXPECT(Says(said(34), {"stub", "LD_LIBRARY_PATH"}));
  EXPECT(Says(said(46), {"another process"}));
  EXPECT(Says(said(802), {"nvidia-fabricmanager"}));
  EXPECT(Says(said(803), {"restart the machine"}));
  EXPECT(Says(said(804), {"compat", "LD_LIBRARY_PATH"}));
  EXPECT(Says(said(3), {"could not be initialised", "forked"}));
  EXPECT(Says(said(999), {"the driver's words", "CUDA error 999"}));
}

TEST("a device below compute capability 7.5 is refused whatever the library holds") {
  EXPECT(Says(WhyNotThisDevice(Gpu(7, 0), "70;75"), {"Some GPU", "compute capability 7.0", "7.5"}));
  EXPECT(Says(WhyNotThisDevice(Gpu(6, 1), "120-virtual"), {"6.1"}));
  EXPECT(Runs("75-real", 7, 5));
}

// CUDA's rules: machine code serves its major version from its minor on, "a" that device alone, PTX all later ones.
TEST("a device runs what was compiled for it, or for an older one of its generation, or PTX") {
  const std::string shipped = "75-real;80-real;86-real;89-real;90a-real;100-real;120";
  for (const int capability : {75, 80, 86, 87, 89, 90, 100, 103, 120, 121, 130}) {
    EXPECT_EQ(Runs(shipped, capability / 10, capability % 10), true);
  }
  EXPECT_EQ(Runs(shipped, 11, 0), false);
  EXPECT_EQ(Runs("80-real", 9, 0), false);
  EXPECT_EQ(Runs("86-real", 8, 0), false);
  EXPECT_EQ(Runs("80-virtual", 9, 0), true);
  EXPECT_EQ(Runs("90a", 10, 0), false);
  EXPECT_EQ(Runs("90a-real", 9, 0), true);
  EXPECT(Says(WhyNotThisDevice(Gpu(8, 6), "90a-real"), {"8.6", "built for 90a-real alone", "npm run build:cuda"}));
}

}  // namespace
}  // namespace slim::test

#endif
