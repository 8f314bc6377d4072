package table

import "time"

// The suites run hundreds of writes that meet other transactions.
func init() { firstPause = time.Millisecond }
