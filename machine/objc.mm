// Conversions copy; nothing points into the other world.
#import "machine/objc.hpp"

namespace berth::vz {

std::string to_text(NSString* text) {
  const char* bytes = [text UTF8String];
  return bytes ? bytes : "";
}

std::string to_bytes(NSData* data) {
  return data ? std::string{static_cast<const char*>([data bytes]), static_cast<std::size_t>([data length])} : std::string{};
}

NSString* ns_string(const std::string& text) {
  NSString* made = [[[NSString alloc] initWithBytes:text.data() length:text.size() encoding:NSUTF8StringEncoding] autorelease];
  return made ? made : @"";
}

NSURL* to_url(const std::filesystem::path& path) { return [NSURL fileURLWithPath:ns_string(path.string())]; }

NSData* to_data(const std::string& bytes) { return [NSData dataWithBytes:bytes.data() length:bytes.size()]; }

Failure explain_exception(NSException* exception) {
  const std::string name = to_text([exception name]), reason = to_text([exception reason]);
  const bool is_argument = [[exception name] isEqualToString:NSInvalidArgumentException];
  return Failure{is_argument ? "invalid_value" : "machine_failed", "the framework raised " + name + ": " + reason, name, 0};
}

} // namespace berth::vz
