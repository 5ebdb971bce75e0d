#!/usr/bin/env escript
%%! -kernel logger_level notice
-module(o42_hibernation).
-mode(compile).
-compile([export_all, nowarn_export_all, nowarn_unused_function, nowarn_shadow_vars]).

%% O42  G17 (S40): a server hibernates by return value and after a while without
%% messages; messages wake it, system messages do not for good, and its state is kept.
run() ->
    {ok, P} = gen_server:start(?MODULE, 0, [{hibernate_after, 100}]), name(P, srv),
    ev(obs, at_start, asleep(P)), timer:sleep(150), ev(obs, after_a_while, asleep(P)),
    ev(obs, call, gen_server:call(P, add)), ev(obs, awake, asleep(P)),
    timer:sleep(60), gen_server:cast(P, add), timer:sleep(60), ev(obs, kept_awake, asleep(P)),
    timer:sleep(60), ev(obs, asleep_again, asleep(P)),
    ev(obs, state, sys:get_state(P)), timer:sleep(20), ev(obs, still_asleep, asleep(P)),
    sys:suspend(P), timer:sleep(20), gen_server:cast(P, add), timer:sleep(20), ev(obs, queued, sys:get_state(P)),
    sys:resume(P), timer:sleep(20), ev(obs, served, {sys:get_state(P), asleep(P)}),
    {ok, Q} = gen_server:start(?MODULE, 0, []), name(Q, other),
    ev(obs, asked_to, gen_server:call(Q, hibernate)), timer:sleep(20), ev(obs, asleep, asleep(Q)),
    Q ! add, timer:sleep(20), ev(obs, woken, {sys:get_state(Q), asleep(Q)}).
asleep(P) -> case process_info(P, current_function) of
        {_, {erlang, hibernate, 3}} -> true; {_, {gen_server, loop_hibernate, _}} -> true; _ -> false end.
init(N) -> {ok, N}.
handle_call(add, _, N) -> {reply, N + 1, N + 1};
handle_call(hibernate, _, N) -> {reply, ok, N, hibernate}.
handle_cast(add, N) -> {noreply, N + 1}.
handle_info(add, N) -> {noreply, N + 1}.


%% ---------------------------------------------------------------------------
%% Harness (identical in every scenario file).
%% A trace line is  "<who> <event> <term>".  Pids print as the symbolic name
%% they were introduced under (c1#2 = second incarnation of child c1),
%% references as '$ref', stack traces as '$stack'.  Supervisor reports are part
%% of the order (the supervisor logs them itself); lines starting with "~" are
%% the other reports, sorted: their order is no part of the contract.
%% ---------------------------------------------------------------------------
main(_) ->
    Me = self(),
    ets:new(names, [named_table, public]),
    ets:new(incarnation, [named_table, public]),
    ets:new(plan, [named_table, public]),
    register(trace_log, spawn(fun() -> log_loop([], []) end)),
    logger:remove_handler(default),
    logger:add_handler(trace_h, ?MODULE, #{filter_default => log}),
    name(Me, main),
    process_flag(trap_exit, true),
    {P, R} = spawn_monitor(fun() -> name(self(), obs), run() end),
    receive
        {'DOWN', R, process, P, normal} -> ok;
        {'DOWN', R, process, P, Why} -> ev(main, scenario_crashed, Why)
    end,
    timer:sleep(300),                      % let the last reports come in
    trace_log ! {dump, Me},
    receive {lines, Ls, Rs} ->
        [io:put_chars([L, $\n]) || L <- Ls],
        [io:put_chars(["~ ", L, $\n]) || L <- lists:sort(Rs)]
    end,
    halt(0).

%% Ordered events, and reports whose order is not part of the contract.
log_loop(Acc, Rep) ->
    receive
        {ev, From, Ref, Line} -> From ! {Ref, ok}, log_loop([Line | Acc], Rep);
        {report, Line} -> log_loop(Acc, [Line | Rep]);
        {dump, From} -> From ! {lines, lists:reverse(Acc), Rep}
    end.

%% Synchronous: the event is on record before the caller goes on.
ev(Who, Event, Term) ->
    Ref = make_ref(),
    trace_log ! {ev, self(), Ref, line(Who, Event, Term)},
    receive {Ref, ok} -> ok end.

line(Who, Event, Term) ->
    unicode:characters_to_list(io_lib:format("~ts ~ts ~0tp", [str(Who), str(Event), clean(Term)])).
report(Event, Term) -> trace_log ! {report, line(log, Event, Term)}, ok.

str(X) when is_atom(X) -> atom_to_list(X);
str(X) when is_pid(X) -> str(clean(X));
str(X) -> io_lib:format("~0tp", [X]).

name(Pid, N) -> ets:insert(names, {Pid, N}), N.

%% The label for the next incarnation of Id: c1#1, c1#2, ...
next(Id) ->
    N = ets:update_counter(incarnation, Id, 1, {Id, 0}),
    L = list_to_atom(atom_to_list(Id) ++ "#" ++ integer_to_list(N)),
    name(self(), L), {L, N}.

clean(P) when is_pid(P) ->
    case ets:lookup(names, P) of [{_, N}] -> N; [] -> '$pid' end;
clean(R) when is_reference(R) -> '$ref';
clean(F) when is_function(F) -> '$fun';
clean([{M, F, A, L} | _]) when is_atom(M), is_atom(F), is_list(L),
                               (is_integer(A) orelse is_list(A)) -> '$stack';
clean([H | T]) -> [clean(H) | clean(T)];
clean(T) when is_tuple(T) -> list_to_tuple([clean(X) || X <- tuple_to_list(T)]);
clean(M) when is_map(M) -> maps:map(fun(_, V) -> clean(V) end, M);
clean(X) -> X.

%% Reports seen by the logger, as trace lines.
log(#{msg := {report, #{label := {supervisor, progress}}}}, _) -> ok;
log(#{msg := {report, #{label := {supervisor, Ctx}, report := R}}}, _) ->
    Off = proplists:get_value(offender, R),
    ev(log, supervisor_report, {Ctx, proplists:get_value(id, Off),
                                proplists:get_value(reason, R)});
log(#{msg := {report, #{label := {gen_server, terminate}, name := N, reason := R}}}, _) ->
    report(gen_server_terminate, {N, R});
log(#{msg := {report, #{label := {proc_lib, crash}, report := [I | _]}}}, _) ->
    {C, R, _} = proplists:get_value(error_info, I),
    report(crash_report, {proplists:get_value(pid, I), C, R});
log(#{msg := {string, S}}, _) -> report(string, lists:flatten(S));
log(#{msg := {report, #{label := L}}}, _) -> report(report, L);
log(#{msg := {F, A}}, _) when is_list(F) ->
    report(message, lists:flatten(io_lib:format(F, clean(A))));
log(_, _) -> ok.

drain() -> receive M -> [clean(M) | drain()] after 50 -> [] end.
wait(F) -> wait(F, 400).
wait(_, 0) -> timeout;
wait(F, N) -> case F() of true -> ok; _ -> timer:sleep(5), wait(F, N - 1) end.
