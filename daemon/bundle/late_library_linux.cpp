// The functions of libcurl and libzip that berth calls, under their own names: each looks the real one up. What else berth
// comes to call is missing at link time, so nothing is forgotten here. (curl_easy_setopt has no fixed arguments to hand on: its
// caller looks it up itself.)
#include "daemon/bundle/late_library.hpp"

#include <cstdio>
#include <cstdlib>

#include <curl/curl.h>
#include <dlfcn.h>
#include <zip.h>

namespace berth {

bool LateLibrary::load() {
  const std::lock_guard lock(mutex_);
  if (!handle_) handle_ = ::dlopen(file_, RTLD_NOW | RTLD_LOCAL);
  return handle_ != nullptr;
}

void* LateLibrary::find(const char* function) {
  void* const handle = handle_;
  void* const found = handle ? ::dlsym(handle, function) : nullptr;
  if (found) return found;
  std::fprintf(stderr, "berth: %s has no %s\n", file_, function);
  std::abort();
}

LateLibrary& late_curl() {
  static LateLibrary library(BERTH_CURL_FILE);
  return library;
}

LateLibrary& late_zip() {
  static LateLibrary library(BERTH_ZIP_FILE);
  return library;
}

} // namespace berth

// One static pointer a function: looked up at its first call.
#define BERTH_LATE(library, function)                                                                                            \
  static const auto real = reinterpret_cast<decltype(&function)>(berth::library().find(#function))

extern "C" {

CURLcode curl_global_init(long flags) {
  BERTH_LATE(late_curl, curl_global_init);
  return real(flags);
}
CURL* curl_easy_init() {
  BERTH_LATE(late_curl, curl_easy_init);
  return real();
}
CURLcode curl_easy_perform(CURL* handle) {
  BERTH_LATE(late_curl, curl_easy_perform);
  return real(handle);
}
void curl_easy_cleanup(CURL* handle) {
  BERTH_LATE(late_curl, curl_easy_cleanup);
  real(handle);
}
const char* curl_easy_strerror(CURLcode code) {
  BERTH_LATE(late_curl, curl_easy_strerror);
  return real(code);
}
curl_slist* curl_slist_append(curl_slist* list, const char* text) {
  BERTH_LATE(late_curl, curl_slist_append);
  return real(list, text);
}
void curl_slist_free_all(curl_slist* list) {
  BERTH_LATE(late_curl, curl_slist_free_all);
  real(list);
}
CURLU* curl_url() {
  BERTH_LATE(late_curl, curl_url);
  return real();
}
void curl_url_cleanup(CURLU* url) {
  BERTH_LATE(late_curl, curl_url_cleanup);
  real(url);
}
CURLUcode curl_url_get(CURLU* url, CURLUPart part, char** text, unsigned flags) {
  BERTH_LATE(late_curl, curl_url_get);
  return real(url, part, text, flags);
}
CURLUcode curl_url_set(CURLU* url, CURLUPart part, const char* text, unsigned flags) {
  BERTH_LATE(late_curl, curl_url_set);
  return real(url, part, text, flags);
}
void curl_free(void* memory) {
  BERTH_LATE(late_curl, curl_free);
  real(memory);
}

void zip_error_init(zip_error_t* error) {
  BERTH_LATE(late_zip, zip_error_init);
  real(error);
}
void zip_error_fini(zip_error_t* error) {
  BERTH_LATE(late_zip, zip_error_fini);
  real(error);
}
void zip_error_set(zip_error_t* error, int code, int system) {
  BERTH_LATE(late_zip, zip_error_set);
  real(error, code, system);
}
const char* zip_error_strerror(zip_error_t* error) {
  BERTH_LATE(late_zip, zip_error_strerror);
  return real(error);
}
zip_int64_t zip_error_to_data(const zip_error_t* error, void* data, zip_uint64_t length) {
  BERTH_LATE(late_zip, zip_error_to_data);
  return real(error, data, length);
}
zip_source_t* zip_source_function_create(zip_source_callback callback, void* state, zip_error_t* error) {
  BERTH_LATE(late_zip, zip_source_function_create);
  return real(callback, state, error);
}
void zip_source_free(zip_source_t* source) {
  BERTH_LATE(late_zip, zip_source_free);
  real(source);
}
zip_int64_t zip_source_seek_compute_offset(zip_uint64_t offset, zip_uint64_t size, void* data, zip_uint64_t length,
                                           zip_error_t* error) {
  BERTH_LATE(late_zip, zip_source_seek_compute_offset);
  return real(offset, size, data, length, error);
}
zip_t* zip_open_from_source(zip_source_t* source, int flags, zip_error_t* error) {
  BERTH_LATE(late_zip, zip_open_from_source);
  return real(source, flags, error);
}
void zip_discard(zip_t* archive) {
  BERTH_LATE(late_zip, zip_discard);
  real(archive);
}
zip_int64_t zip_get_num_entries(zip_t* archive, zip_flags_t flags) {
  BERTH_LATE(late_zip, zip_get_num_entries);
  return real(archive, flags);
}
const char* zip_get_name(zip_t* archive, zip_uint64_t index, zip_flags_t flags) {
  BERTH_LATE(late_zip, zip_get_name);
  return real(archive, index, flags);
}
void zip_stat_init(zip_stat_t* facts) {
  BERTH_LATE(late_zip, zip_stat_init);
  real(facts);
}
int zip_stat_index(zip_t* archive, zip_uint64_t index, zip_flags_t flags, zip_stat_t* facts) {
  BERTH_LATE(late_zip, zip_stat_index);
  return real(archive, index, flags, facts);
}
zip_file_t* zip_fopen_index(zip_t* archive, zip_uint64_t index, zip_flags_t flags) {
  BERTH_LATE(late_zip, zip_fopen_index);
  return real(archive, index, flags);
}
zip_int64_t zip_fread(zip_file_t* file, void* data, zip_uint64_t length) {
  BERTH_LATE(late_zip, zip_fread);
  return real(file, data, length);
}
int zip_fclose(zip_file_t* file) {
  BERTH_LATE(late_zip, zip_fclose);
  return real(file);
}
const char* zip_strerror(zip_t* archive) {
  BERTH_LATE(late_zip, zip_strerror);
  return real(archive);
}

} // extern "C"
