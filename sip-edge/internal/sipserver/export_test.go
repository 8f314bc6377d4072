package sipserver

import "github.com/emiago/sipgo/sip"

// Parse reads a datagram as the server's sockets do.
func (s *Server) Parse(raw []byte) (sip.Message, error) { return s.parser.ParseSIP(raw) }

// Dispatch answers a parsed request as sipgo has it answered.
func (s *Server) Dispatch(req *sip.Request, tx sip.ServerTransaction) { s.dispatch(req, tx) }
