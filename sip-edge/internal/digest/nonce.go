package digest

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"sync"
	"time"
)

// Lifetime is how long a nonce can be used. It bounds the time in which an
// overheard answer could be of use to another, and is long enough for the
// slowest phone to answer.
const Lifetime = 5 * time.Minute

// clockSkew is how far ahead the clock of another edge with the same key may be.
const clockSkew = time.Minute

// A nonce is the base64url text of 6 bytes of time (milliseconds since 1970),
// 8 random bytes and 16 bytes of HMAC-SHA256 over both and the realm. Nothing
// is kept of a nonce until somebody authenticates with it.
const (
	idLen    = 14 // bytes: time and random
	macLen   = 16 // bytes
	nonceLen = idLen + macLen
)

// nonceID is what makes a nonce unique.
type nonceID [idLen]byte

func (id nonceID) issued() time.Time {
	var ms [8]byte
	copy(ms[2:], id[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(ms[:])))
}

func nonceMAC(key []byte, id nonceID, realm string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(id[:])
	mac.Write([]byte(realm))
	return mac.Sum(nil)[:macLen]
}

// newNonce returns a nonce for realm.
func newNonce(key []byte, realm string, now time.Time) string {
	var id nonceID
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(now.UnixMilli()))
	copy(id[:6], ms[2:])
	rand.Read(id[6:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(append(id[:], nonceMAC(key, id, realm)...))
}

// openNonce returns what a nonce says if this key made it for realm.
func openNonce(key []byte, realm, nonce string) (id nonceID, ours bool) {
	if len(nonce) != base64.RawURLEncoding.EncodedLen(nonceLen) {
		return id, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(nonce)
	if err != nil {
		return id, false
	}
	copy(id[:], raw)
	return id, hmac.Equal(raw[idLen:], nonceMAC(key, id, realm))
}

// maxNonces bounds the memory of used nonces: at 60 bytes each about 16 MB. It
// holds 870 authentications a second over the Lifetime.
const maxNonces = 1 << 18

// usage remembers the highest nonce count seen of each nonce that somebody
// authenticated with. When it is full it forgets the oldest nonces and from
// then on takes them for used up, so it errs to the safe side.
type usage struct {
	max int // nonces

	mu sync.Mutex
	// seen has the nonce counts by the second in which the nonce was made.
	seen  map[int64]map[nonceID]uint32
	count int   // nonces in seen
	floor int64 // nonces made before this second are used up
}

func newUsage(max int, now time.Time) *usage {
	return &usage{max: max, seen: map[int64]map[nonceID]uint32{}, floor: now.Add(-Lifetime).Unix()}
}

// take records that the nonce was used with count nc. It returns false if the
// nonce has been used with that count or a higher one, or is forgotten.
func (u *usage) take(id nonceID, nc uint32, now time.Time) bool {
	second := id.issued().Unix()
	u.mu.Lock()
	defer u.mu.Unlock()
	u.forget(now.Add(-Lifetime).Unix())
	if second < u.floor {
		return false
	}
	last, known := u.seen[second][id]
	if nc <= last {
		return false
	}
	for !known && u.count >= u.max {
		u.forget(u.floor + 1)
	}
	if second < u.floor {
		return false
	}
	if u.seen[second] == nil {
		u.seen[second] = map[nonceID]uint32{}
	}
	u.seen[second][id] = nc
	if !known {
		u.count++
	}
	return true
}

// forget drops the nonces made before the given second.
func (u *usage) forget(before int64) {
	if before <= u.floor {
		return
	}
	if before-u.floor > int64(len(u.seen)) { // after an idle time: fewer entries than seconds
		for second, nonces := range u.seen {
			if second < before {
				u.count -= len(nonces)
				delete(u.seen, second)
			}
		}
		u.floor = before
		return
	}
	for ; u.floor < before; u.floor++ {
		u.count -= len(u.seen[u.floor])
		delete(u.seen, u.floor)
	}
}
