// Of Foundation what machine/*.mm and the generated header use, as Apple's headers declare it (Foundation of the macOS 15 SDK).
// For ./dev cross, which has no SDK: a compiler is held to the types, and nothing is linked. What is missing here is not used.
#pragma once

#include <Availability.h>
#include <objc/NSObject.h>
#include <objc/objc.h>
#include <os/availability.h>

// As Apple's headers have them for C++: options are plain integers there, so that 0 and a | b are options too.
#ifndef NS_ENUM
#define NS_ENUM(type, name) enum __attribute__((enum_extensibility(open))) name : type name; enum name : type
#endif
#ifndef NS_OPTIONS
#define NS_OPTIONS(type, name) type name; enum __attribute__((flag_enum, enum_extensibility(open))) : name
#endif

@class NSDictionary, NSError, NSString, NSURL;
typedef double NSTimeInterval;
typedef NSString* NSErrorDomain;
typedef NSString* NSKeyValueChangeKey;
typedef NSUInteger NSStringEncoding;
enum : NSStringEncoding { NSUTF8StringEncoding = 4 };
typedef struct {
  NSInteger majorVersion, minorVersion, patchVersion;
} NSOperatingSystemVersion;
typedef NS_OPTIONS(NSUInteger, NSKeyValueObservingOptions) {
  NSKeyValueObservingOptionNew = 0x01,
  NSKeyValueObservingOptionOld = 0x02,
  NSKeyValueObservingOptionInitial = 0x04,
};

extern "C" {
extern NSString* const NSInvalidArgumentException;
extern NSString* const NSUnderlyingErrorKey;
extern NSString* const NSLocalizedDescriptionKey;
extern NSString* const NSLocalizedFailureErrorKey;
extern NSKeyValueChangeKey const NSKeyValueChangeNewKey;
}

@protocol NSCopying
- (id)copyWithZone:(struct _NSZone*)zone;
@end

@interface NSString : NSObject <NSCopying>
- (instancetype)initWithBytes:(const void*)bytes length:(NSUInteger)length encoding:(NSStringEncoding)encoding;
+ (instancetype)stringWithUTF8String:(const char*)text;
- (const char*)UTF8String;
- (BOOL)isEqualToString:(NSString*)other;
@end

@interface NSData : NSObject <NSCopying>
+ (instancetype)dataWithBytes:(const void*)bytes length:(NSUInteger)length;
- (const void*)bytes;
- (NSUInteger)length;
@end

@interface NSValue : NSObject <NSCopying>
@end
@interface NSNumber : NSValue
- (NSInteger)integerValue;
- (double)doubleValue;
@end

@interface NSArray <__covariant ObjectType> : NSObject <NSCopying>
+ (instancetype)array;
+ (instancetype)arrayWithObject:(ObjectType)object;
- (NSUInteger)count;
- (ObjectType)objectAtIndex:(NSUInteger)index;
- (ObjectType)firstObject;
- (unsigned long)countByEnumeratingWithState:(void*)state objects:(id*)buffer count:(unsigned long)length;
@end
@interface NSMutableArray <ObjectType> : NSArray <ObjectType>
- (void)addObject:(ObjectType)object;
@end

@interface NSDictionary : NSObject <NSCopying>
- (id)objectForKey:(id)key;
@end

@interface NSURL : NSObject <NSCopying>
+ (NSURL*)fileURLWithPath:(NSString*)path;
- (NSString*)absoluteString;
- (NSString*)path;
@end

@interface NSUUID : NSObject <NSCopying>
- (NSString*)UUIDString;
@end

@interface NSError : NSObject <NSCopying>
- (NSErrorDomain)domain;
- (NSInteger)code;
- (NSDictionary*)userInfo;
- (NSString*)localizedDescription;
@end

@interface NSException : NSObject <NSCopying>
- (NSString*)name;
- (NSString*)reason;
@end

@interface NSBundle : NSObject
+ (NSBundle*)bundleForClass:(Class)type;
- (id)objectForInfoDictionaryKey:(NSString*)key;
@end

@interface NSFileHandle : NSObject
- (instancetype)initWithFileDescriptor:(int)fd closeOnDealloc:(BOOL)closes;
@end

@interface NSProgress : NSObject
@property (readonly) double fractionCompleted;
- (void)cancel;
@end

@interface NSProcessInfo : NSObject
+ (NSProcessInfo*)processInfo;
- (NSOperatingSystemVersion)operatingSystemVersion;
- (BOOL)isOperatingSystemAtLeastVersion:(NSOperatingSystemVersion)version;
@end

@interface NSObject (NSKeyValueObserving)
- (void)addObserver:(NSObject*)observer
         forKeyPath:(NSString*)path
            options:(NSKeyValueObservingOptions)options
            context:(void*)context;
- (void)removeObserver:(NSObject*)observer forKeyPath:(NSString*)path;
- (void)removeObserver:(NSObject*)observer forKeyPath:(NSString*)path context:(void*)context;
- (void)observeValueForKeyPath:(NSString*)path ofObject:(id)object change:(NSDictionary*)change context:(void*)context;
@end
