# Boost without its deprecated parts, its exceptions kept inside adapters.
add_library(berth_boost INTERFACE)
target_link_libraries(berth_boost INTERFACE Boost::headers Threads::Threads)
target_compile_definitions(berth_boost INTERFACE BOOST_ASIO_NO_DEPRECATED BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION)
