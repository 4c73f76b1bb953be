-- A registry as fleet kept it before the account (revision 0002): two units with tag, run and reading.
BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0002');
CREATE TABLE benches (
	bench VARCHAR NOT NULL, 
	name VARCHAR NOT NULL, 
	since VARCHAR NOT NULL, 
	CONSTRAINT pk_benches PRIMARY KEY (bench)
);
INSERT INTO "benches" VALUES('0123456789abcdef','hanoi','2025-03-01T08:00:01.000Z');
CREATE TABLE chains (
	bench VARCHAR NOT NULL, 
	seq INTEGER NOT NULL, 
	hash VARCHAR NOT NULL, 
	CONSTRAINT pk_chains PRIMARY KEY (bench)
);
INSERT INTO "chains" VALUES('0123456789abcdef',7,'b5661af49c8c5ea36c36959644cbc749d04e540dbfff1ae8365e5362088a01bb');
CREATE TABLE events (
	bench VARCHAR NOT NULL, 
	seq INTEGER NOT NULL, 
	at VARCHAR NOT NULL, 
	actor VARCHAR NOT NULL, 
	kind VARCHAR NOT NULL, 
	subject VARCHAR NOT NULL, 
	body VARCHAR NOT NULL, 
	prev VARCHAR NOT NULL, 
	hash VARCHAR NOT NULL, 
	CONSTRAINT pk_events PRIMARY KEY (bench, seq)
);
INSERT INTO "events" VALUES('0123456789abcdef',1,'2025-03-01T08:00:01.000Z','lan','bench.opened','0123456789abcdef','{"name":"hanoi","v":1}','','fbfcc424fc922d3a97217ecd6fcffc8f4d2e6444f7a80424830c80713da96772');
INSERT INTO "events" VALUES('0123456789abcdef',2,'2025-03-01T08:00:02.000Z','lan','unit.added','android:S1','{"maker":"samsung","model":"SM-A105F","origin":"unrecorded","platform":"android","serial":"S1","state":"at_bench","v":1,"version":"13"}','fbfcc424fc922d3a97217ecd6fcffc8f4d2e6444f7a80424830c80713da96772','6a691247e1999037646cec0e4353acedc6397031737329342a2147aa365f01e3');
INSERT INTO "events" VALUES('0123456789abcdef',3,'2025-03-01T08:00:03.000Z','lan','unit.tagged','android:S1','{"tag":"A-0001","v":1,"was":null}','6a691247e1999037646cec0e4353acedc6397031737329342a2147aa365f01e3','3c84c206ee96657220df3cc2b6199ba62273d48446105051c6cd431be25b688d');
INSERT INTO "events" VALUES('0123456789abcdef',4,'2025-03-01T08:00:04.000Z','lan','unit.run','android:S1','{"allowed":"","digest":"dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd","ended":"2025-03-01T08:01:00.000Z","error":"","facts":{"api":33,"build":"TP1A.1","locks":{"accounts":{"com.google":1},"at_frp":null,"bootloader_locked":null,"owner":null,"owner_known":true,"users":1,"verified_boot":null},"sims":[{"iccid":"8984048000012345678","operator":"45204","operator_name":"Viettel","slot":0,"state":"READY"}],"skin":"One UI 5"},"imei":"356938035643809","items":[{"changed":false,"item":"apps.kolibri","next_action":"","required":false,"result":"verified","sealed":"","source":"sample.yaml:7","strength":"C","want":"Kolibri 0.16","why":"equal"},{"changed":true,"item":"sim.apn","next_action":"","required":false,"result":"unverified","sealed":"5ea1","source":"sample.yaml:20","strength":"B","want":"APN v-internet","why":"done; this device does not let it be read back"},{"changed":false,"item":"restrictions.factory_reset","next_action":"Enrol it.","required":false,"result":"impossible","sealed":"","source":"","strength":null,"want":"denied","why":"needs a device owner"}],"left_on":["USB debugging"],"maker":"samsung","model":"SM-A105F","next_action":"","port":"1-2","profile":"sample","started":"2025-03-01T08:00:00.000Z","steps":1,"stops":[],"v":1,"verdict":"partial","version":"13"}','3c84c206ee96657220df3cc2b6199ba62273d48446105051c6cd431be25b688d','70f803f4be15bb93896e27ff4d5d95d41f9bbe7469bb989df4d3e5d42f71cbb4');
INSERT INTO "events" VALUES('0123456789abcdef',5,'2025-03-01T08:00:05.000Z','lan','unit.added','android:S2','{"maker":"samsung","model":"SM-A105F","origin":"unrecorded","platform":"android","serial":"S2","state":"at_bench","v":1,"version":"13"}','70f803f4be15bb93896e27ff4d5d95d41f9bbe7469bb989df4d3e5d42f71cbb4','5c41fcddcfab6d9e29f2187297ad64d9aa1b040aa721ae8f4160114e77dae71b');
INSERT INTO "events" VALUES('0123456789abcdef',6,'2025-03-01T08:00:06.000Z','lan','unit.tagged','android:S2','{"tag":"A-0002","v":1,"was":null}','5c41fcddcfab6d9e29f2187297ad64d9aa1b040aa721ae8f4160114e77dae71b','91307ccc8e5fba177d8a8a23ddfefa3fd58b541420faf6c5b88f9f7d1b22d49a');
INSERT INTO "events" VALUES('0123456789abcdef',7,'2025-03-01T08:00:07.000Z','lan','unit.run','android:S2','{"allowed":"","digest":"dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd","ended":"2025-03-01T08:01:00.000Z","error":"","facts":{"api":33,"build":"TP1A.1","locks":{"accounts":{"com.google":1},"at_frp":null,"bootloader_locked":null,"owner":null,"owner_known":true,"users":1,"verified_boot":null},"sims":[{"iccid":"8984048000012345678","operator":"45204","operator_name":"Viettel","slot":0,"state":"READY"}],"skin":"One UI 5"},"imei":"356938035643809","items":[{"changed":false,"item":"apps.kolibri","next_action":"","required":false,"result":"verified","sealed":"","source":"sample.yaml:7","strength":"C","want":"Kolibri 0.16","why":"equal"},{"changed":true,"item":"sim.apn","next_action":"","required":false,"result":"unverified","sealed":"5ea1","source":"sample.yaml:20","strength":"B","want":"APN v-internet","why":"done; this device does not let it be read back"},{"changed":false,"item":"restrictions.factory_reset","next_action":"Enrol it.","required":false,"result":"impossible","sealed":"","source":"","strength":null,"want":"denied","why":"needs a device owner"}],"left_on":["USB debugging"],"maker":"samsung","model":"SM-A105F","next_action":"","port":"1-2","profile":"sample","started":"2025-03-01T08:00:00.000Z","steps":1,"stops":[],"v":1,"verdict":"partial","version":"13"}','91307ccc8e5fba177d8a8a23ddfefa3fd58b541420faf6c5b88f9f7d1b22d49a','b5661af49c8c5ea36c36959644cbc749d04e540dbfff1ae8365e5362088a01bb');
CREATE TABLE health (
	unit VARCHAR NOT NULL, 
	at VARCHAR NOT NULL, 
	bench VARCHAR NOT NULL, 
	battery_level INTEGER, 
	battery_worn INTEGER, 
	battery_cycles INTEGER, 
	battery_temperature FLOAT, 
	battery_faked BOOLEAN NOT NULL, 
	storage_total BIGINT, 
	storage_free BIGINT, 
	patch VARCHAR, 
	encrypted BOOLEAN, 
	CONSTRAINT pk_health PRIMARY KEY (unit, at), 
	CONSTRAINT fk_health_unit FOREIGN KEY(unit) REFERENCES units ("key")
);
INSERT INTO "health" VALUES('android:S1','2025-03-01T08:01:00.000Z','0123456789abcdef',80,NULL,NULL,25.5,0,64000000000,NULL,'2023-01-05',NULL);
INSERT INTO "health" VALUES('android:S2','2025-03-01T08:01:00.000Z','0123456789abcdef',80,NULL,NULL,25.5,0,64000000000,NULL,'2023-01-05',NULL);
CREATE TABLE health_now (
	unit VARCHAR NOT NULL, 
	at VARCHAR NOT NULL, 
	bench VARCHAR NOT NULL, 
	battery_level INTEGER, 
	battery_worn INTEGER, 
	battery_cycles INTEGER, 
	battery_temperature FLOAT, 
	battery_faked BOOLEAN NOT NULL, 
	storage_total BIGINT, 
	storage_free BIGINT, 
	patch VARCHAR, 
	encrypted BOOLEAN, 
	CONSTRAINT pk_health_now PRIMARY KEY (unit), 
	CONSTRAINT fk_health_now_unit FOREIGN KEY(unit) REFERENCES units ("key")
);
INSERT INTO "health_now" VALUES('android:S1','2025-03-01T08:01:00.000Z','0123456789abcdef',80,NULL,NULL,25.5,0,64000000000,NULL,'2023-01-05',NULL);
INSERT INTO "health_now" VALUES('android:S2','2025-03-01T08:01:00.000Z','0123456789abcdef',80,NULL,NULL,25.5,0,64000000000,NULL,'2023-01-05',NULL);
CREATE TABLE intakes (
	unit VARCHAR NOT NULL, 
	at VARCHAR NOT NULL, 
	bench VARCHAR NOT NULL, 
	actor VARCHAR NOT NULL, 
	verdict VARCHAR NOT NULL, 
	port VARCHAR NOT NULL, 
	label VARCHAR, 
	findings VARCHAR NOT NULL, 
	trace VARCHAR NOT NULL, 
	refused_since VARCHAR, 
	reset VARCHAR NOT NULL, 
	reset_at VARCHAR, 
	reset_before VARCHAR, 
	times INTEGER NOT NULL, 
	CONSTRAINT pk_intakes PRIMARY KEY (unit), 
	CONSTRAINT fk_intakes_unit FOREIGN KEY(unit) REFERENCES units ("key")
);
CREATE TABLE items (
	unit VARCHAR NOT NULL, 
	position INTEGER NOT NULL, 
	item VARCHAR NOT NULL, 
	result VARCHAR NOT NULL, 
	want VARCHAR NOT NULL, 
	why VARCHAR NOT NULL, 
	next_action VARCHAR NOT NULL, 
	source VARCHAR NOT NULL, 
	strength VARCHAR, 
	required BOOLEAN NOT NULL, 
	changed BOOLEAN NOT NULL, 
	CONSTRAINT pk_items PRIMARY KEY (unit, position), 
	CONSTRAINT fk_items_unit FOREIGN KEY(unit) REFERENCES units ("key")
);
INSERT INTO "items" VALUES('android:S1',0,'apps.kolibri','verified','Kolibri 0.16','equal','','sample.yaml:7','C',0,0);
INSERT INTO "items" VALUES('android:S1',1,'sim.apn','unverified','APN v-internet','done; this device does not let it be read back','','sample.yaml:20','B',0,1);
INSERT INTO "items" VALUES('android:S1',2,'restrictions.factory_reset','impossible','denied','needs a device owner','Enrol it.','',NULL,0,0);
INSERT INTO "items" VALUES('android:S2',0,'apps.kolibri','verified','Kolibri 0.16','equal','','sample.yaml:7','C',0,0);
INSERT INTO "items" VALUES('android:S2',1,'sim.apn','unverified','APN v-internet','done; this device does not let it be read back','','sample.yaml:20','B',0,1);
INSERT INTO "items" VALUES('android:S2',2,'restrictions.factory_reset','impossible','denied','needs a device owner','Enrol it.','',NULL,0,0);
CREATE TABLE runs (
	unit VARCHAR NOT NULL, 
	bench VARCHAR NOT NULL, 
	actor VARCHAR NOT NULL, 
	started VARCHAR NOT NULL, 
	ended VARCHAR NOT NULL, 
	profile VARCHAR NOT NULL, 
	digest VARCHAR NOT NULL, 
	verdict VARCHAR NOT NULL, 
	steps INTEGER NOT NULL, 
	port VARCHAR NOT NULL, 
	error VARCHAR NOT NULL, 
	next_action VARCHAR NOT NULL, 
	allowed VARCHAR NOT NULL, 
	left_on VARCHAR NOT NULL, 
	CONSTRAINT pk_runs PRIMARY KEY (unit), 
	CONSTRAINT fk_runs_unit FOREIGN KEY(unit) REFERENCES units ("key")
);
INSERT INTO "runs" VALUES('android:S1','0123456789abcdef','lan','2025-03-01T08:00:00.000Z','2025-03-01T08:01:00.000Z','sample','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd','partial',1,'1-2','','','','["USB debugging"]');
INSERT INTO "runs" VALUES('android:S2','0123456789abcdef','lan','2025-03-01T08:00:00.000Z','2025-03-01T08:01:00.000Z','sample','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd','partial',1,'1-2','','','','["USB debugging"]');
CREATE TABLE seals (
	unit VARCHAR NOT NULL, 
	item VARCHAR NOT NULL, 
	sealed VARCHAR NOT NULL, 
	CONSTRAINT pk_seals PRIMARY KEY (unit, item), 
	CONSTRAINT fk_seals_unit FOREIGN KEY(unit) REFERENCES units ("key")
);
INSERT INTO "seals" VALUES('android:S1','sim.apn','5ea1');
INSERT INTO "seals" VALUES('android:S2','sim.apn','5ea1');
CREATE TABLE tag_series (
	prefix VARCHAR NOT NULL, 
	last INTEGER NOT NULL, 
	CONSTRAINT pk_tag_series PRIMARY KEY (prefix)
);
INSERT INTO "tag_series" VALUES('A',2);
CREATE TABLE units (
	"key" VARCHAR NOT NULL, 
	platform VARCHAR NOT NULL, 
	serial VARCHAR NOT NULL, 
	tag VARCHAR, 
	state VARCHAR NOT NULL, 
	origin VARCHAR NOT NULL, 
	maker VARCHAR NOT NULL, 
	model VARCHAR NOT NULL, 
	version VARCHAR NOT NULL, 
	imei VARCHAR NOT NULL, 
	facts VARCHAR NOT NULL, 
	first_seen VARCHAR NOT NULL, 
	last_seen VARCHAR NOT NULL, 
	last_verdict VARCHAR, 
	last_profile VARCHAR, 
	last_digest VARCHAR, 
	CONSTRAINT pk_units PRIMARY KEY ("key"), 
	CONSTRAINT uq_units_tag UNIQUE (tag)
);
INSERT INTO "units" VALUES('android:S1','android','S1','A-0001','at_bench','unrecorded','samsung','SM-A105F','13','356938035643809','{"api":33,"build":"TP1A.1","locks":{"accounts":{"com.google":1},"at_frp":null,"bootloader_locked":null,"owner":null,"owner_known":true,"users":1,"verified_boot":null},"sims":[{"iccid":"8984048000012345678","operator":"45204","operator_name":"Viettel","slot":0,"state":"READY"}],"skin":"One UI 5"}','2025-03-01T08:00:02.000Z','2025-03-01T08:00:04.000Z','partial','sample','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd');
INSERT INTO "units" VALUES('android:S2','android','S2','A-0002','at_bench','unrecorded','samsung','SM-A105F','13','356938035643809','{"api":33,"build":"TP1A.1","locks":{"accounts":{"com.google":1},"at_frp":null,"bootloader_locked":null,"owner":null,"owner_known":true,"users":1,"verified_boot":null},"sims":[{"iccid":"8984048000012345678","operator":"45204","operator_name":"Viettel","slot":0,"state":"READY"}],"skin":"One UI 5"}','2025-03-01T08:00:05.000Z','2025-03-01T08:00:07.000Z','partial','sample','dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd');
CREATE INDEX ix_events_subject ON events (subject);
CREATE INDEX ix_units_last_seen ON units (last_seen);
CREATE INDEX ix_units_serial ON units (serial);
CREATE INDEX ix_units_state_last_verdict ON units (state, last_verdict);
CREATE INDEX ix_runs_ended_unit ON runs (ended, unit);
CREATE INDEX ix_intakes_label ON intakes (label);
COMMIT;
