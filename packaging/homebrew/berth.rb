# The place of the repository is still to be named (example.invalid). The formula for a tap of one's own: `brew install --HEAD OWNER/TAP/berth`. Never tried; see docs/first-run-on-a-mac.md.
class Berth < Formula
  desc "VM daemon that knows the two berths of a Mac and every machine identifier"
  homepage "https://example.invalid/berth"
  head "https://example.invalid/berth.git", branch: "main"
  license "Apache-2.0"

  depends_on "boost" => :build
  depends_on "cli11" => :build
  depends_on "cmake" => :build
  depends_on "ninja" => :build
  depends_on "nlohmann-json" => :build
  depends_on "pkgconf" => :build
  depends_on arch: :arm64
  depends_on "libplist"
  depends_on "libzip"
  depends_on macos: :sonoma
  depends_on "nettle"
  depends_on "prometheus-cpp"
  depends_on "spdlog"
  depends_on "sqlite"
  depends_on "yaml-cpp"

  def install
    system "cmake", "-S", ".", "-B", "build", "-G", "Ninja", "-DBERTH_TESTS=OFF", *std_cmake_args
    system "cmake", "--build", "build"
    system "cmake", "--install", "build"
  end

  def caveats
    <<~TEXT
      To start berthd at login, and now:
        berth service install
      Guests outlive an upgrade; restart berthd afterwards with:
        berth service upgrade
    TEXT
  end

  test do
    assert_match "berth", shell_output("#{bin}/berth --version")
    assert_match "simulated", shell_output("#{libexec}/berth/berth-machine host")
  end
end
