// VZMacOSRestoreImage and its requirements, from a sample of an IPSW: a zip archive with Apple's BuildManifest.plist.
#include "machine/lookalike/restore_image.hpp"

#include <sstream>

#include "machine/lookalike/restore_archive.hpp"

namespace lookalike {
namespace {

constexpr NSUInteger kMinimumCpuCount = 2;
constexpr uint64_t kMinimumMemory = uint64_t{4} << 30;
constexpr long kOldestVersion = 12; // the first macOS that a virtual machine of Apple's runs

// Real models, byte by byte: the encoder of macOS 12, version 1, version 2.
NSString* const kModelOf12 =
    @"YnBsaXN0MDDTAQIDBAUGXxAZRGF0YVJlcHJlc2VudGF0aW9uVmVyc2lvbl8QD1BsYXRmb3JtVmVyc2lvbl8QEk1pbmltdW1TdXBwb3J0ZWRP"
    @"UxQAAAAAAAAAAAAAAAAAAAABEAKjBwgIEAwQAAgPKz1SY2VpawAAAAAAAAEBAAAAAAAAAAkAAAAAAAAAAAAAAAAAAABt";
NSString* const kModel1 =
    @"YnBsaXN0MDDTAQIDBAUGXxAZRGF0YVJlcHJlc2VudGF0aW9uVmVyc2lvbl8QD1BsYXRmb3JtVmVyc2lvbl8QEk1pbmltdW1TdXBwb3J0ZWRP"
    @"UxABEAKjBwgIEA0QAAgPKz1SVFZaXAAAAAAAAAEBAAAAAAAAAAkAAAAAAAAAAAAAAAAAAABe";
NSString* const kModel2 =
    @"YnBsaXN0MDDTAQIDBAQFXxAZRGF0YVJlcHJlc2VudGF0aW9uVmVyc2lvbl8QD1BsYXRmb3JtVmVyc2lvbl8QEk1pbmltdW1TdXBwb3J0ZWRP"
    @"UxACowYHBxANEAAIDys9UlRYWgAAAAAAAAEBAAAAAAAAAAgAAAAAAAAAAAAAAAAAAABc";

BOOL is_virtual_mac(NSDictionary* identity) {
  NSString* device_class = [[identity objectForKey:@"Info"] objectForKey:@"DeviceClass"];
  return [[device_class lowercaseString] isEqualToString:@"vma2macosap"];
}

ImageFacts invalid_image(NSString* reason) { return {.error = error(VZErrorInvalidRestoreImage, reason)}; }

} // namespace

ImageFacts read_image(NSURL* file) {
  const Manifest manifest = read_manifest(path_of(file));
  if (manifest.found == Manifest::Found::kNoFile)
    return {.error = error(VZErrorRestoreImageLoadFailed, @"The file cannot be read.", posix_error(ENOENT))};
  if (manifest.found == Manifest::Found::kNotAnImage) return invalid_image(@"The file is not a restore image.");
  NSDictionary* list = nil;
  @try {
    list = [NSPropertyListSerialization propertyListFromData:[NSData dataWithBytes:manifest.bytes.data()
                                                                            length:manifest.bytes.size()]
                                            mutabilityOption:NSPropertyListImmutable
                                                      format:NULL
                                            errorDescription:NULL];
  } @catch (NSException*) {
    return invalid_image(@"The build manifest cannot be read.");
  }
  if (![list isKindOfClass:[NSDictionary class]]) return invalid_image(@"The build manifest cannot be read.");
  ImageFacts facts;
  facts.version = text((NSString*)[list objectForKey:@"ProductVersion"]);
  facts.build = text((NSString*)[list objectForKey:@"ProductBuildVersion"]);
  if (facts.version.empty() || facts.build.empty()) return invalid_image(@"The build manifest names no version.");
  for (NSDictionary* identity in [list objectForKey:@"BuildIdentities"])
    if (is_virtual_mac(identity)) facts.is_for_virtual_macs = true;
  return facts;
}

VZMacHardwareModel* hardware_model_for(const OsVersion& image) {
  NSString* encoded = image.major >= 15 && host_version().major >= 15 ? kModel2 : image.major >= 13 ? kModel1 : kModelOf12;
  NSData* data = [[[NSData alloc] initWithBase64EncodedString:encoded options:0] autorelease];
  return [[[VZMacHardwareModel alloc] initWithDataRepresentation:data] autorelease];
}

} // namespace lookalike

@implementation VZMacOSConfigurationRequirements
@synthesize hardwareModel = _hardwareModel;
- (instancetype)lookalikeInitWithHardwareModel:(VZMacHardwareModel*)model {
  self = [super init];
  if (self) _hardwareModel = [model copy];
  return self;
}
- (NSUInteger)minimumSupportedCPUCount {
  return lookalike::kMinimumCpuCount;
}
- (uint64_t)minimumSupportedMemorySize {
  return lookalike::kMinimumMemory;
}
LOOKALIKE_OWNER
@end

using ImageBlock = void (^)(VZMacOSRestoreImage*, NSError*);

@interface VZMacOSRestoreImage (Lookalike)
- (instancetype)lookalikeInitWithURL:(NSURL*)url version:(const std::string&)version build:(const std::string&)build;
- (void)lookalikeRefuse; // it has no identity of a virtual Mac
@end

namespace {

// The framework calls back on a thread of its own.
void answer_later(ImageBlock handler, std::function<void(ImageBlock)> work) {
  const auto block = (ImageBlock)Block_copy(handler);
  dispatch_queue_t queue = dispatch_queue_create("com.apple.Virtualization.RestoreImage", DISPATCH_QUEUE_SERIAL);
  lookalike::async(queue, [block, work = std::move(work)] {
    if (lookalike::has_fault("no_entitlement"))
      block(nil, lookalike::error(VZErrorRestoreImageLoadFailed, @"Unable to connect to installation service."));
    else
      work(block);
    Block_release(block);
  });
  dispatch_release(queue);
}

} // namespace

@implementation VZMacOSRestoreImage
@synthesize URL = _URL, buildVersion = _buildVersion, operatingSystemVersion = _operatingSystemVersion,
            mostFeaturefulSupportedConfiguration = _mostFeaturefulSupportedConfiguration;

+ (void)loadFileURL:(NSURL*)fileURL completionHandler:(ImageBlock)completionHandler {
  if (![fileURL isFileURL]) lookalike::raise_invalid_argument(@"The restore image is not a file URL.");
  answer_later(completionHandler, [kept = lookalike::Retained<NSURL*>(fileURL)](ImageBlock block) {
    const lookalike::ImageFacts facts = lookalike::read_image(kept.get());
    if (facts.error) return block(nil, facts.error);
    auto* image = [[[VZMacOSRestoreImage alloc] lookalikeInitWithURL:kept.get() version:facts.version
                                                               build:facts.build] autorelease];
    if (!facts.is_for_virtual_macs) [image lookalikeRefuse];
    block(image, nil);
  });
}

// `latest_image` of the host's directory: the URL, and on lines of their own the version and the build.
+ (void)fetchLatestSupportedWithCompletionHandler:(ImageBlock)completionHandler {
  answer_later(completionHandler, [](ImageBlock block) {
    std::istringstream lines(lookalike::read_text(lookalike::host_directory() / "latest_image").value_or(""));
    std::string url, version = "26.1", build = "25B78";
    if (!std::getline(lines, url) || url.empty())
      return block(nil, lookalike::error(VZErrorRestoreImageCatalogLoadFailed, @"The catalog could not be fetched."));
    std::getline(lines, version);
    std::getline(lines, build);
    NSURL* where = [NSURL URLWithString:lookalike::text(std::string_view(url))];
    block([[[VZMacOSRestoreImage alloc] lookalikeInitWithURL:where version:version build:build] autorelease], nil);
  });
}

- (instancetype)lookalikeInitWithURL:(NSURL*)url version:(const std::string&)version build:(const std::string&)build {
  self = [super init];
  if (!self) return nil;
  const lookalike::OsVersion parsed = lookalike::parse_version(version);
  _URL = [url copy];
  _buildVersion = [lookalike::text(std::string_view(build)) copy];
  _operatingSystemVersion = {parsed.major, parsed.minor, parsed.patch};
  // Newer than a host whose version a test has set, or older than any that a virtual machine runs.
  const bool is_newer =
      lookalike::read_text(lookalike::host_directory() / "host_os_version") && parsed.major > lookalike::host_version().major;
  VZMacHardwareModel* model = lookalike::hardware_model_for(parsed);
  if (!is_newer && parsed.major >= lookalike::kOldestVersion && [model isSupported])
    _mostFeaturefulSupportedConfiguration = [[VZMacOSConfigurationRequirements alloc] lookalikeInitWithHardwareModel:model];
  return self;
}
- (void)lookalikeRefuse {
  [_mostFeaturefulSupportedConfiguration release];
  _mostFeaturefulSupportedConfiguration = nil;
}
- (BOOL)isSupported {
  return _mostFeaturefulSupportedConfiguration != nil;
}
LOOKALIKE_OWNER
@end
