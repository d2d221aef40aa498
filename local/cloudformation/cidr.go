package cloudformation

import (
	"math/big"
	"net/netip"
	"strconv"
)

// maxCidrs is how many ranges Fn::Cidr makes at most.
const maxCidrs = 256

// cidr cuts a range into count ranges of bits host bits each.
func (r *Resolver) cidr(argument any) (any, error) {
	malformed := templateError("Template error: every Fn::Cidr object requires two parameters, (1) a CIDR " +
		"block and (2) a count, and takes a third, the host bits")
	list, ok := argument.([]any)
	if !ok || len(list) < 2 || len(list) > 3 {
		return nil, malformed
	}
	block, err := r.text(list[0])
	if err != nil {
		return nil, err
	}
	prefix, err := netip.ParsePrefix(block)
	if err != nil {
		return nil, templateError("Template error: %s is not a valid CIDR block", block)
	}
	numbers := [2]int{0, 8}
	for i, expression := range list[1:] {
		text, err := r.text(expression)
		if err != nil {
			return nil, err
		}
		if numbers[i], err = strconv.Atoi(text); err != nil {
			return nil, malformed
		}
	}
	return cutRange(prefix.Masked(), numbers[0], numbers[1])
}

func cutRange(prefix netip.Prefix, count, hostBits int) (any, error) {
	width := prefix.Addr().BitLen()
	length := width - hostBits
	if count < 1 || count > maxCidrs || hostBits < 1 || length < prefix.Bits() {
		return nil, templateError("Template error: Fn::Cidr cannot make %d ranges of %d host bits in %s",
			count, hostBits, prefix)
	}
	if spare := length - prefix.Bits(); spare < 9 && count > 1<<spare {
		return nil, templateError("Template error: Fn::Cidr cannot make %d ranges of %d host bits in %s",
			count, hostBits, prefix)
	}
	start := new(big.Int).SetBytes(prefix.Addr().AsSlice())
	step := new(big.Int).Lsh(big.NewInt(1), uint(hostBits))
	ranges := make([]any, 0, count)
	for range count {
		address, _ := netip.AddrFromSlice(start.FillBytes(make([]byte, width/8)))
		ranges = append(ranges, netip.PrefixFrom(address, length).String())
		start.Add(start, step)
	}
	return ranges, nil
}
