// GNUstep's headers look for this file to learn that blocks exist; libobjc of GCC does not have it (GNUstep libs-base PR 332).
#pragma once

#include <Block.h>
