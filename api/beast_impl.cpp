// The one home of Beast's compiled part.
#include <boost/beast/src.hpp>
