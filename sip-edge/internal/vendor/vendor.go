// Package vendor knows which Event makes a phone of which vendor read its
// configuration again or reboot. The words are data (vendors.json); no standard
// names them.
//
// It guarantees an answer for every phone: for one of an unknown vendor the
// words that most phones know.
package vendor

import (
	_ "embed"
	"encoding/json"
	"slices"
	"strings"
)

//go:embed vendors.json
var data []byte

var vendors = load()

// words are what one vendor's phones know.
type words struct {
	Name string `json:"name"` // as in provision.endpoint_brand; lower case, like all that follows
	// Brands are other names of the brand.
	Brands []string `json:"brands"`
	// UserAgents are the starts of what the phones call themselves.
	UserAgents []string `json:"user_agents"`
	Sync       string   `json:"sync"`   // read the configuration
	Reboot     string   `json:"reboot"` // reboot
	Note       string   `json:"note"`
}

func load() []words {
	var out []words
	if err := json.Unmarshal(data, &out); err != nil {
		panic("vendor: vendors.json: " + err.Error()) // a test reads it
	}
	return out
}

// CheckSync returns the value of the Event header field for a phone. reboot
// true reboots, false only reads the configuration, nil leaves it to the phone.
// What the phone calls itself decides before the brand that was configured.
func CheckSync(brand, userAgent string, reboot *bool) string {
	if w := find(strings.ToLower(brand), strings.ToLower(userAgent)); w != nil {
		if reboot != nil && *reboot {
			return w.Reboot
		}
		return w.Sync
	}
	switch {
	case reboot == nil:
		return "check-sync"
	case *reboot:
		return "check-sync;reboot=true"
	default:
		return "check-sync;reboot=false"
	}
}

func find(brand, userAgent string) *words {
	for i, w := range vendors {
		if slices.ContainsFunc(w.UserAgents, func(start string) bool { return strings.HasPrefix(userAgent, start) }) {
			return &vendors[i]
		}
	}
	for i, w := range vendors {
		if brand == w.Name || slices.Contains(w.Brands, brand) {
			return &vendors[i]
		}
	}
	return nil
}
