// Opening: a new store, an old one, a newer one, a broken one, somebody else's.
#include "daemon/store/database.hpp"
#include "daemon/store/migrations.hpp"
#include "tests/unit/store/store_fixture.hpp"

namespace berth {
namespace {

class StoreOpening : public StoreTest {
protected:
  void write(std::string_view bytes) { std::ofstream(options.file, std::ios::binary) << bytes; }
  Database database(const std::filesystem::path& file) {
    auto opened = Database::open(file, "", Database::Mode::kReadWrite);
    EXPECT_TRUE(opened);
    return std::move(*opened);
  }
  // Refused with a sentence that has `reason`, and not a byte changed.
  void check_refused(std::string_view reason) {
    const std::string before = bytes_of(options.file);
    const auto opened = open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, ErrorCode::kStorageFailed);
    EXPECT_TRUE(opened.error().detail.contains(reason)) << opened.error().detail;
    EXPECT_TRUE(opened.error().detail.contains(options.file.string()) || reason.empty()) << opened.error().detail;
    EXPECT_TRUE(bytes_of(options.file) == before) << "the file was changed";
  }
  void make_store(std::uint64_t vms) {
    ASSERT_TRUE(open());
    for (std::uint64_t number = 1; number <= vms; ++number) ASSERT_TRUE(commit(create_vm(number)));
    store.reset();
  }
};

TEST_F(StoreOpening, MakesAnEmptyStore) {
  const auto state = open();
  ASSERT_TRUE(state) << state.error().detail;
  EXPECT_TRUE(state->vms.empty() && state->operations.empty() && state->recent_events.empty());
  EXPECT_EQ(state->last_sequence, 0U);
  store.reset();
  EXPECT_EQ(*peek_version(options.file), Store::kSchemaVersion);
}

TEST_F(StoreOpening, TakesAnEmptyFileForANewStore) {
  write("");
  EXPECT_TRUE(open());
}

TEST_F(StoreOpening, RefusesAFileThatIsNoDatabase) {
  write("this is a letter to my aunt, and much longer than one hundred bytes, because a shorter one would be refused for another "
        "reason");
  check_refused("is not a store of berth");
  write("short");
  check_refused("is not a store of berth");
  write(std::string(4096, '\0'));
  check_refused("is not a store of berth");
}

TEST_F(StoreOpening, RefusesTheDatabaseOfAnotherProgram) {
  ASSERT_TRUE(database(options.file).execute("CREATE TABLE bookmarks(url TEXT); INSERT INTO bookmarks VALUES('x')"));
  check_refused("of another program");
  ASSERT_TRUE(database(options.file).execute("PRAGMA user_version=1; PRAGMA application_id=7"));
  check_refused("of another program");
}

TEST_F(StoreOpening, GoesOnAfterACrashOfTheVeryFirstStart) {
  // What PRAGMA journal_mode=WAL alone leaves: one page, no table.
  ASSERT_TRUE(database(options.file).execute("PRAGMA journal_mode=WAL"));
  ASSERT_GT(std::filesystem::file_size(options.file), 0U);
  EXPECT_TRUE(open());
}

TEST_F(StoreOpening, RefusesANewerVersion) {
  make_store(3);
  ASSERT_TRUE(database(options.file).execute("PRAGMA user_version=" + std::to_string(Store::kSchemaVersion + 1)));
  check_refused("schema version " + std::to_string(Store::kSchemaVersion + 1));
  ASSERT_TRUE(database(options.file).execute("PRAGMA user_version=" + std::to_string(Store::kSchemaVersion)));
  const auto state = open();
  ASSERT_TRUE(state);
  EXPECT_EQ(state->vms.size(), 3U);
}

TEST_F(StoreOpening, RefusesADamagedFile) {
  make_store(300);
  std::string bytes = bytes_of(options.file);
  ASSERT_GT(bytes.size(), 5U * 4096U);
  for (const std::size_t page : {1U, 3U}) {
    std::string damaged = bytes;
    damaged.replace(page * 4096, 4096, std::string(4096, '\x5a'));
    write(damaged);
    check_refused("");
  }
  write(bytes.substr(0, bytes.size() / 2));
  check_refused("");
  write(bytes);
  EXPECT_TRUE(open());
}

TEST_F(StoreOpening, RefusesAStoreWithAnUnreadableRecord) {
  make_store(1);
  ASSERT_TRUE(database(options.file).execute("UPDATE vms SET document='{}'"));
  const auto state = open();
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().code, ErrorCode::kStorageFailed);
  EXPECT_TRUE(state.error().detail.contains("VM")) << state.error().detail;
}

TEST_F(StoreOpening, TakesRecordsOfBeforeThereWereDevices) {
  make_store(2);
  ASSERT_TRUE(database(options.file)
                  .execute("UPDATE vms SET document=json_remove(document,'$.disk_mode','$.shares','$.rosetta_tag','$.sound',"
                           "'$.bridge_interface')"));
  const auto state = open();
  ASSERT_TRUE(state) << state.error().detail;
  ASSERT_EQ(state->vms.size(), 2U);
  for (const VmRecord& vm : state->vms) {
    EXPECT_EQ(vm.disk_mode, default_disk_mode(Guest::kLinux));
    EXPECT_TRUE(vm.shares.empty());
  }
}

TEST_F(StoreOpening, RefusesADirectory) {
  std::filesystem::create_directory(options.file);
  const auto opened = open();
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, ErrorCode::kStorageFailed);
}

const std::vector<Migration>& two_steps() {
  static const std::vector<Migration> steps{
      {1, "CREATE TABLE a(x);"}, {2, "ALTER TABLE a ADD COLUMN y DEFAULT 7;"}, {3, "CREATE TABLE b(x);"}};
  return steps;
}

TEST_F(StoreOpening, MigratesWithACopyBeside) {
  const auto file = directory / "old.db";
  ASSERT_TRUE(database(file).execute("CREATE TABLE a(x); INSERT INTO a VALUES(1); PRAGMA user_version=1"));
  {
    Database old = database(file);
    ASSERT_TRUE(migrate(old, file, two_steps()));
    EXPECT_EQ(*old.number("PRAGMA user_version"), 3);
    EXPECT_EQ(*old.number("SELECT y FROM a"), 7);
    EXPECT_EQ(*old.number("SELECT count(*) FROM b"), 0);
    ASSERT_TRUE(migrate(old, file, two_steps())) << "a second time there is nothing to do";
  }
  Database copy = database(file.string() + ".v1");
  EXPECT_EQ(*copy.number("PRAGMA user_version"), 1);
  EXPECT_EQ(*copy.number("SELECT x FROM a"), 1);
  EXPECT_FALSE(copy.prepare("SELECT y FROM a"));
}

TEST_F(StoreOpening, RollsAFailedStepBack) {
  const auto file = directory / "old.db";
  ASSERT_TRUE(database(file).execute("CREATE TABLE a(x); PRAGMA user_version=1"));
  Database old = database(file);
  const std::vector<Migration> steps{{1, ""}, {2, "CREATE TABLE good(x);"}, {3, "CREATE TABLE half(x); CREATE TABLE half(x);"}};
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto failed = migrate(old, file, steps);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().code, ErrorCode::kStorageFailed);
    EXPECT_EQ(*old.number("PRAGMA user_version"), 2) << "the steps before it stay";
    EXPECT_FALSE(old.prepare("SELECT * FROM half"));
    EXPECT_TRUE(old.prepare("SELECT * FROM good"));
  }
  EXPECT_TRUE(std::filesystem::exists(file.string() + ".v1"));
  ASSERT_TRUE(migrate(old, file, {{1, ""}, {2, ""}, {3, "CREATE TABLE whole(x);"}})) << "a mended step goes on from there";
}

TEST_F(StoreOpening, MakesNoCopyOfANewFile) {
  const auto file = directory / "new.db";
  Database fresh = database(file);
  ASSERT_TRUE(migrate(fresh, file, two_steps()));
  EXPECT_FALSE(std::filesystem::exists(file.string() + ".v0"));
  EXPECT_EQ(*fresh.number("PRAGMA user_version"), 3);
  EXPECT_FALSE(migrate(fresh, file, {{1, ""}, {2, ""}})) << "newer than the list";
}

} // namespace
} // namespace berth
