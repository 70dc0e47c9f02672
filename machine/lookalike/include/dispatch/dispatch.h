// The part of libdispatch that berth-machine and the look-alike use: serial queues, each with a thread of its own. Debian 12
// has no libdispatch. dispatch_sync is left out: a caller that waits for a VM's queue is how deadlocks are made.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct dispatch_queue_s* dispatch_queue_t;
typedef struct dispatch_queue_attr_s* dispatch_queue_attr_t;
typedef void (^dispatch_block_t)(void);
typedef void (*dispatch_function_t)(void* context);
typedef uint64_t dispatch_time_t; // nanoseconds of the monotonic clock

#define DISPATCH_QUEUE_SERIAL ((dispatch_queue_attr_t)NULL)
#define DISPATCH_TIME_NOW ((dispatch_time_t)0)
#define NSEC_PER_SEC 1000000000ULL
#define NSEC_PER_MSEC 1000000ULL
#define NSEC_PER_USEC 1000ULL

// The queue begins with one reference. Its thread ends when the last one is gone and every block has run.
dispatch_queue_t dispatch_queue_create(const char* label, dispatch_queue_attr_t attributes);
void dispatch_retain(dispatch_queue_t queue);
void dispatch_release(dispatch_queue_t queue);
const char* dispatch_queue_get_label(dispatch_queue_t queue);

// Blocks run in the order in which they came, one at a time, each in an autorelease pool. The queue lives until then.
void dispatch_async(dispatch_queue_t queue, dispatch_block_t block);
void dispatch_async_f(dispatch_queue_t queue, void* context, dispatch_function_t work);
void dispatch_after(dispatch_time_t when, dispatch_queue_t queue, dispatch_block_t block);
dispatch_time_t dispatch_time(dispatch_time_t when, int64_t nanoseconds);

void dispatch_queue_set_specific(dispatch_queue_t queue, const void* key, void* context, dispatch_function_t destructor);
void* dispatch_get_specific(const void* key); // of the queue whose thread this is, NULL elsewhere

// Ends the process with libdispatch's words unless this is the queue's thread.
void dispatch_assert_queue(dispatch_queue_t queue);

#ifdef __cplusplus
}
#endif
